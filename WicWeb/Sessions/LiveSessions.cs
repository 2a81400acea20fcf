using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Caching.Memory;
using OpenTelemetry;
using WebRtcIms.Contracts;
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

    /// <summary>
    /// A name for the session of the request, which is not a secret; null without a live session. The WWSF gives it, so that a session has
    /// one name, whatever cookies come with its own.
    /// </summary>
    public async Task<string?> FindAsync(HttpContext context)
    {
        var cookies = CookiesOf(context.Request);
        if (cookies.Length == 0) return null;

        // Requests that come at once share one question.
        return await _answers.GetOrCreate(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(cookies))), entry =>
        {
            entry.SetSize(1).SetAbsoluteExpiration(Kept);
            return AskAsync(context.Request.Scheme, cookies);
        })!;
    }

    public void Dispose() => _answers.Dispose();

    // The WWSF counts the first of several cookies with one name, and the case of names.
    private static string CookiesOf(HttpRequest request) => string.Join("; ",
        from part in request.Headers.Cookie.SelectMany(header => (header ?? "").Split(';', StringSplitOptions.TrimEntries))
        let name = part.Split('=')[0]
        where Name().IsMatch(name)
        group part by name into parts
        orderby parts.Key
        select parts.First());

    private async Task<string?> AskAsync(string scheme, string cookies)
    {
        if (!proxies.TryGetCluster(Gateway.Wwsf, out var wwsf) || wwsf.DestinationsState.AvailableDestinations is not [var destination, ..])
            return null;

        // The question belongs to no trace.
        using var _ = SuppressInstrumentationScope.Begin();
        using var limit = new CancellationTokenSource(Limit);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(destination.Model.Config.Address), "/session"));
        request.Headers.TryAddWithoutValidation("Cookie", cookies);
        request.Headers.Add("X-Forwarded-Proto", scheme);
        request.Headers.Add("traceparent", $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-00");
        try
        {
            using var answer = await wwsf.Model.HttpClient.SendAsync(request, limit.Token);
            return answer.StatusCode == HttpStatusCode.NoContent && answer.Headers.TryGetValues(LiveSession.Name, out var names)
                ? names.First()
                : null;
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    // The cookie of the page's session. Over https its name has a prefix, and ASP.NET Core splits a long cookie.
    [GeneratedRegex(@"^(__Host-)?wwsf-session(C\d{1,2})?$")]
    private static partial Regex Name();
}
