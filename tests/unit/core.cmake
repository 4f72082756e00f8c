shep_unit_test(util LINK shep_util)
shep_unit_test(loop LINK shep_loop)
shep_unit_test(herd LINK shep_herd)
shep_unit_test(options LINK shep_plugin)
