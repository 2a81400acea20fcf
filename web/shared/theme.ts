/** Light or dark: the system's choice until the user makes one, which the browser stores. */
const key = 'theme';
const chosen = () => localStorage.getItem(key);

/** For a page without a button. Other pages of this origin notify it when the choice changes. */
export function followTheme(): void {
  applyChoice();
  addEventListener('storage', applyChoice);
}

/** Lets a button change the theme. `show` shows the present one. */
export function bindTheme(button: HTMLElement, show: (isDark: boolean) => void): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (chosen() ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const apply = () => {
    applyChoice();
    show(isDark());
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
