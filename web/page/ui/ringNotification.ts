import { texts } from '../../shared/texts/language.ts';

/** A notification of the system for a call that rings while the page is hidden. Without permission the title of the page says it. */
export class RingNotification {
  #shown: Notification | undefined;

  show(caller: string, withVideo: boolean): void {
    if (!document.hidden || !canNotify() || Notification.permission !== 'granted') return;
    try {
      this.#shown = new Notification(texts.labels.titleIncoming(caller), {
        body: withVideo ? texts.labels.notificationVideo : texts.labels.notification,
        icon: '/icon.svg', tag: 'incoming-call', requireInteraction: true,
      });
    } catch {
      // Chrome for Android only lets service workers notify.
      return;
    }
    this.#shown.addEventListener('click', () => {
      window.focus();
      this.close();
    });
  }

  close(): void {
    this.#shown?.close();
    this.#shown = undefined;
  }
}

export function canNotify(): boolean {
  return 'Notification' in window && window.isSecureContext;
}
