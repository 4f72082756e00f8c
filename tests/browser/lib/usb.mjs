// Boards on USB that are not there: a folder that looks like sysfs and one that looks like /dev, for the options sysfs_root and
// dev_root of source udev. Behind each device node is a pty (daemon.mjs, pty_open).

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

function write(folder, texts) {
    fs.mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(texts)) if (text !== undefined) fs.writeFileSync(path.join(folder, name), `${text}\n`);
}

/** "1-1.2" lies in usb1/1-1/1-1.2 */
function device_folder(sys, port) {
    const [bus, places] = port.split("-");
    const numbers = places.split(".");
    const folders = numbers.map((_, i) => `${bus}-${numbers.slice(0, i + 1).join(".")}`);
    return path.join(sys, "devices", `usb${bus}`, ...folders);
}

/** { sysfs_root, dev_root, plug(), unplug(), remove() } */
export function usb_make() {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-usb-"));
    const [sys, dev] = ["sys", "dev"].map((name) => path.join(root, name));
    fs.mkdirSync(path.join(sys, "class", "tty"), { recursive: true });
    fs.mkdirSync(dev);
    const plugged = new Map(); // name of the tty → folder of its device

    /** A board: tty "ttyUSB0", port "1-1.2", link of a pty, what its USB chip says. */
    function plug(tty, port, link, { vendor = "1a86", product_id = "7523", serial, product = "USB Serial", maker } = {}) {
        const device = device_folder(sys, port);
        write(device, { idVendor: vendor, idProduct: product_id, serial, product, manufacturer: maker });
        const face = path.join(device, `${port}:1.0`);
        write(face, { bInterfaceNumber: "00" });
        const node = path.join(face, tty, "tty", tty);
        write(path.join(face, tty), { port_number: "0" });
        fs.mkdirSync(node, { recursive: true });
        fs.symlinkSync(path.join(face, tty), path.join(node, "device"));
        fs.symlinkSync(link, path.join(dev, tty));
        fs.symlinkSync(node, path.join(sys, "class", "tty", tty)); // last: from now on it is there
        plugged.set(tty, device);
    }

    function unplug(tty) {
        fs.unlinkSync(path.join(sys, "class", "tty", tty));
        fs.unlinkSync(path.join(dev, tty));
        fs.rmSync(plugged.get(tty), { recursive: true });
        plugged.delete(tty);
    }

    return { sysfs_root: sys, dev_root: dev, plug, unplug, remove: () => fs.rmSync(root, { recursive: true, force: true }) };
}
