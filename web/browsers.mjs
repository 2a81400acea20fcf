// The oldest browsers that the pages support. The build writes syntax for them, and `npm run check` looks for APIs that they do not have.
// AbortSignal.any needs Firefox 124, the error of AbortSignal.timeout Chrome 124, and light-dark() Safari 17.5.
export const browsers = { chrome: 124, firefox: 124, safari: 17.5 };

export const target = Object.entries(browsers).map(([name, version]) => `${name}${version}`);
