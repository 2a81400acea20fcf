using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Caching.Memory;
using OpenTelemetry;
using WebRtcIms.WicWeb.Forwarding;
using Yarp.ReverseProxy;

namespace WebRtcIms.WicWeb.Sessions;

/// <summary>
/// Whether a request belongs to a live session. The WWSF decides: <c>GET /session</c>, a path that is not forwarded. The answer is kept for
/// some seconds, so a session that has ended counts as live for that time at most.
/// </summary>
internal sealed partial class LiveSessions(IProxyStateLookup proxies) : IDisposable
{
    private const int MaxAnswers = 10_000;
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxAnswers });

    /// <summary>A name for the session of the request, which is not a secret; null without a live session.</summary>
    public async Task<string?> FindAsync(HttpContext context)
    {
        var cookies = string.Join("; ", from cookie in context.Request.Cookies
                                        where Name().IsMatch(cookie.Key)
                                        orderby cookie.Key
                                        select $"{cookie.Key}={Uri.EscapeDataString(cookie.Value)}");
        if (cookies.Length == 0) return null;

        var session = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(cookies)));
        // Requests that come at once share one question.
        var isLive = _answers.GetOrCreate(session, entry =>
        {
            entry.SetSize(1).SetAbsoluteExpiration(Kept);
            return AskAsync(context.Request.Scheme, cookies);
        })!;
        return await isLive ? session : null;
    }

    public void Dispose() => _answers.Dispose();

    private async Task<bool> AskAsync(string scheme, string cookies)
    {
        if (!proxies.TryGetCluster(Gateway.Wwsf, out var wwsf) || wwsf.DestinationsState.AvailableDestinations is not [var destination, ..])
            return false;

        // The question belongs to no trace.
        using var _ = SuppressInstrumentationScope.Begin();
        using var limit = new CancellationTokenSource(Limit);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(destination.Model.Config.Address), "/session"));
        request.Headers.Add("Cookie", cookies);
        request.Headers.Add("X-Forwarded-Proto", scheme);
        request.Headers.Add("traceparent", $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-00");
        try
        {
            using var answer = await wwsf.Model.HttpClient.SendAsync(request, limit.Token);
            return answer.StatusCode == HttpStatusCode.NoContent;
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    // The cookie of the page's session. Over https its name has a prefix, and ASP.NET Core splits a long cookie.
    [GeneratedRegex(@"^(__Host-)?wwsf-session(C\d{1,2})?$")]
    private static partial Regex Name();
}
