-- ends: error the page is over 4 MiB
shepherd.respond { body = ("a"):rep(5000000) }
