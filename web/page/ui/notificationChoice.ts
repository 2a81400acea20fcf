import { find } from '../../shared/dom.ts';
import { texts } from '../../shared/texts/language.ts';
import { canNotify } from './ringNotification.ts';

/** The button that asks the browser to allow notifications. Browsers accept this question only after a click. */
export class NotificationChoice {
  constructor() {
    find('notify').hidden = !canNotify();
    if (!canNotify()) return;
    find('notify-me').addEventListener('click', async () => {
      await Notification.requestPermission();
      this.#render();
    });
    this.#render();
  }

  #render(): void {
    const { permission } = Notification;
    find('notify-me').hidden = permission !== 'default';
    find('notify-hint').textContent = permission === 'granted' ? texts.labels.notifying
      : permission === 'denied' ? texts.labels.notificationsBlocked : texts.page.notifyHint;
  }
}
