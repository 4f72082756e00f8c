shep_unit_test(coin LINK shep_coin PkgConfig::SODIUM)
