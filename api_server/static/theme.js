// Light, dark, or as the system says; loaded before the page is drawn so that it does not flash.
"use strict";
{
  const themes = ["auto", "light", "dark"];
  const wear = (theme) => {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  };
  const remembered = () => {
    try {
      const theme = localStorage.getItem("im2latex.theme");
      return themes.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // storage is forbidden
    }
  };
  const next = () => {
    const theme = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
    wear(theme);
    try {
      localStorage.setItem("im2latex.theme", theme);
    } catch {
      // forbidden or full: the theme lasts as long as the page
    }
  };
  wear(remembered());
  document.addEventListener("DOMContentLoaded", () => {
    wear(remembered());
    document.getElementById("theme").addEventListener("click", next);
  });
}
