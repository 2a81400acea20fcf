/** Light or dark: the system's choice until the user makes one, which the browser then remembers. */
const key = 'theme';
const chosen = () => localStorage.getItem(key);

/** In a page that has no button for it; other pages of this origin tell when the choice changes. */
export function followTheme(): void {
  applyChoice();
  addEventListener('storage', applyChoice);
}

export function bindTheme(button: HTMLButtonElement): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (chosen() ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const apply = () => {
    applyChoice();
    button.ariaPressed = String(isDark());
  };
  button.addEventListener('click', () => {
    localStorage.setItem(key, isDark() ? 'light' : 'dark');
    apply();
  });
  system.addEventListener('change', apply);
  apply();
}

function applyChoice(): void {
  const choice = chosen();
  if (choice) document.documentElement.dataset.theme = choice;
}
