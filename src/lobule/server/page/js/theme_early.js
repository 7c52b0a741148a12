// Not a module, and first of all scripts: the page never flashes in the wrong colours.
document.documentElement.dataset.theme = localStorage.getItem("lobule-theme") || "system";
