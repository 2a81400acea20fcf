/** Light or dark: the system's choice until the user makes one, which the browser then remembers. */
const key = 'theme';

export function bindTheme(button: HTMLButtonElement): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const chosen = () => localStorage.getItem(key);
  const isDark = () => (chosen() ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const apply = () => {
    const choice = chosen();
    if (choice) document.documentElement.dataset.theme = choice;
    button.ariaPressed = String(isDark());
  };
  button.addEventListener('click', () => {
    localStorage.setItem(key, isDark() ? 'light' : 'dark');
    apply();
  });
  system.addEventListener('change', apply);
  apply();
}
