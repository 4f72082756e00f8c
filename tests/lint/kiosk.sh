#!/bin/sh
# kiosk.sh SOURCE: what config/kiosk would do, by --print: the command for the display, what --install writes (the same
# each time), and that an address cannot smuggle anything into it. The unit must be one that systemd reads.
set -eu
kiosk=$1/config/kiosk
unit=$1/config/shepherd-kiosk.service
failed=0

# wants WHAT TEXT PATTERN
wants() {
    case $2 in
    *"$3"*) ;;
    *)
        echo "$1: no '$3' in:"
        echo "$2"
        failed=1
        ;;
    esac
}

# refuses ARGUMENT...
refuses() {
    if said=$("$kiosk" --print "$@" 2>&1); then
        echo "kiosk --print $*: was taken: $said"
        failed=1
    fi
}

said=$("$kiosk" --print)
wants 'the display' "$said" 'cage -d -- '
for option in --kiosk --no-first-run --noerrdialogs --hide-crash-restore-bubble --user-data-dir=; do
    wants 'the display' "$said" " $option"
done
wants 'the display' "$said" ' http://127.0.0.1:8080/play?theme=dark'
said=$(RUNTIME_DIRECTORY=/run/x KIOSK_FLAGS='--one --two' "$kiosk" --print 'http://pi.local/play?views=kiosk:30,matrix@18-23')
wants 'settings' "$said" '--user-data-dir=/run/x/'
wants 'settings' "$said" ' --one --two http://pi.local/play?views=kiosk:30,matrix@18-23'

said=$("$kiosk" --print --install http://pi.local:8080/play 2>&1)
wants 'install' "$said" 'KIOSK_URL="http://pi.local:8080/play"'
wants 'install' "$said" 'systemctl enable shepherd-kiosk.service'
[ "$said" = "$("$kiosk" --print --install http://pi.local:8080/play 2>&1)" ] || { echo "install: not the same twice"; failed=1; }
wants 'uninstall' "$("$kiosk" --print --uninstall 2>&1)" 'systemctl disable --now shepherd-kiosk.service'

# shellcheck disable=SC2016 # nothing may expand: that is the point
for address in 'http://x/$(id)' 'http://x/"y' "http://x/'" 'http://x/ y' 'http://x/;id' 'http://x/`id`' 'file:///etc/passwd'; do
    refuses "$address"
done

if command -v systemd-analyze >/dev/null; then
    # The script is not where the unit will find it, and the user is not there: everything else must be right.
    said=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep "shepherd-kiosk.service" | grep -v 'is not executable' || true)
    [ -z "$said" ] || { echo "$said"; failed=1; }
fi
exit $failed
