shep_unit_test(backup LINK shep_backup PkgConfig::SQLITE)
# The test kills and fails renames at will.
target_link_options(test_backup PRIVATE LINKER:--wrap=rename,--wrap=fsync,--wrap=geteuid)
shep_unit_test(backup_hostile LINK shep_backup PkgConfig::SQLITE)
