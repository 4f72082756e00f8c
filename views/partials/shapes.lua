-- The shape of each status, as the inside of an <svg viewBox="0 0 12 12">: for partials/status.html and for pages that
-- draw many of them.
return {
    online = '<circle cx="6" cy="6" r="5" fill="currentColor"/>',
    idle = '<circle cx="6" cy="6" r="4.75" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        .. '<path d="M6 1.5a4.5 4.5 0 0 0 0 9z" fill="currentColor"/>',
    silent = '<circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" stroke-width="2"/>',
    resetting = '<path d="M10.5 6A4.5 4.5 0 1 1 8.6 2.3" fill="none" stroke="currentColor" stroke-width="1.8"/>'
        .. '<path d="M7.2 0l4.3 1.4-3 3.2z" fill="currentColor"/>',
    offline = '<path d="M1.8 1.8l8.4 8.4M10.2 1.8l-8.4 8.4" stroke="currentColor" stroke-width="2.2" fill="none"/>',
}
