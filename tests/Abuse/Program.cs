using WebRtcIms.Abuse;

// tests/Abuse/strangers [gateway address] [finding ...]
var gateway = args is [var first, ..] && first.Contains("://", StringComparison.Ordinal) ? first : "http://localhost:8080";
return await Review.RunAsync(new Uri(gateway), [.. args.Where(arg => arg[0] is 'S' or 'F')]);
