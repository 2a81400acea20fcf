// Says that the browser is too old, in browsers that cannot read the page's modules. So this is a plain script in the syntax of 2015, and
// its texts are not in the catalogues. The versions are those of web/browsers.mjs.
(function () {
  if (window.AbortSignal && AbortSignal.any && window.CSS && CSS.supports('color', 'light-dark(red, red)')) return;
  var german = /^de\b/.test(navigator.language || '');
  var place = document.getElementById('too-old');
  place.textContent = german
    ? 'Dieser Browser ist zu alt für diese Seite. Nehmen Sie Chrome 124, Firefox 124, Safari 17.5 oder eine neuere Version.'
    : 'This browser is too old for this page. Use Chrome 124, Firefox 124, Safari 17.5 or a later version.';
  place.lang = german ? 'de' : 'en';
  place.hidden = false;
})();
