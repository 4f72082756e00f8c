shep_unit_test(store LINK shep_store PkgConfig::SQLITE)
