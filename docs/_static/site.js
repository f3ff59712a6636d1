// The frames of live explorers follow the theme that the visitor has chosen for the site.
const frames = document.querySelectorAll("iframe");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const chosen = document.body.dataset.theme;
  const scheme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  for (const frame of frames) frame.style.colorScheme = scheme;
};
new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
dark.addEventListener("change", follow);
follow();

// Read from a disk, search cannot open the pages that it found, and shows their titles alone.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
