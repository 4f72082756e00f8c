// The first admin: who sits at the daemon's own computer need not look for the setup code.

async function code_fetch() {
    try {
        const reply = await fetch("/api/setup", { headers: { Accept: "application/json" }, cache: "no-store" });
        return reply.ok ? await reply.json() : null;
    } catch {
        return null; // then it is typed
    }
}

const state = await code_fetch();
if (state?.needed === false) {
    document.getElementById("setup-done").hidden = false;
    for (const id of ["setup-about", "setup-form"]) document.getElementById(id).hidden = true;
} else if (state?.code) {
    const field = document.getElementById("setup-code");
    if (!field.value) field.value = state.code;
    document.getElementById("setup-password").focus();
}
