shep_unit_test(access LINK shep_access PkgConfig::SQLITE)
