shep_unit_test(units LINK shep_ingest)
shep_unit_test(secrets LINK shep_ingest)
