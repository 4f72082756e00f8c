shep_unit_test(flock LINK shep_flock)
shep_unit_test(flock_people LINK shep_flock PkgConfig::SQLITE)
