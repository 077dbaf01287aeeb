// Texts that are there to be copied get a button for it.
(() => {
  "use strict";
  const give = (code) => {
    if (code.dataset.copied === "given") return;
    code.dataset.copied = "given";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    code.after(button);
  };
  if (!navigator.clipboard) return; // a page without TLS, not of this machine
  document.querySelectorAll("[data-copied]").forEach(give);
})();
