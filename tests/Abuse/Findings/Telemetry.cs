using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.Abuse.Findings;

/// <summary>The gateway and FlowView: S3, S4, S5, S18, S21 and S26.</summary>
internal static class Telemetry
{
    private const int Listeners = 100;
    private const string PublicHost = "phone.example.com";
    private const string OtherHost = "evil.example";
    private static readonly string PublicUrl = string.Create(CultureInfo.InvariantCulture, $"https://localhost:{Ports.Free()}");
    private static readonly TimeSpan Arrival = TimeSpan.FromSeconds(3);

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S3", async targets => Verdict.All(
            await SpansOfAStranger(targets), await SpansOfAGuest(targets), await SpanInAnotherTrace(targets),
            await TraceOfAStranger(targets))),
        new("S4", async targets => Verdict.All(await CallLadderInProduction(targets), await EventStreams(targets))),
        new("S5", NoCookiesInErrors),
        new("S18", async targets => Verdict.All(await CookiesOverHttps(targets), await StrictTransport(targets))),
        new("S21", RebindingInProduction),
        new("S26", MalformedBody),
    ];

    private static async Task<Verdict> SpansOfAStranger(Targets targets)
    {
        using var stranger = new Page(targets.Gateway);
        var trace = NewTrace();
        var answer = await stranger.PostAsync("/v1/traces", Span(trace, DateTimeOffset.UnixEpoch.AddYears(292), TimeSpan.FromDays(10_000)));
        return Verdict.If(!answer.IsOk || !await IsKeptAsync(targets, trace), $"a span without a session is answered with {answer.Code}");
    }

    /// <summary>With a session: a time far from now, and a duration that spoils each average.</summary>
    private static async Task<Verdict> SpansOfAGuest(Targets targets)
    {
        using var guest = await Page.GuestAsync(targets.Gateway);
        var (future, century) = (NewTrace(), NewTrace());
        await guest.PostAsync("/v1/traces", Span(future, DateTimeOffset.UnixEpoch.AddYears(292), TimeSpan.FromSeconds(1)));
        await guest.PostAsync("/v1/traces", Span(century, TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(36_500)));
        var kept = await IsKeptAsync(targets, future) || await IsKeptAsync(targets, century);
        await guest.SignOutAsync();
        return Verdict.If(!kept, $"spans of the year 2262 and of a century {(kept ? "are kept" : "are not kept")}");
    }

    /// <summary>A span in the trace of another session.</summary>
    private static async Task<Verdict> SpanInAnotherTrace(Targets targets)
    {
        using var guest = await Page.GuestAsync(targets.Gateway);
        using var other = await Page.GuestAsync(targets.Gateway);
        await other.PostAsync("/api/turn-token");
        await Task.Delay(Arrival);
        var list = await guest.GetAsync("/flow/api/traces?other=true");
        if (!list.IsOk) return Verdict.If(true, "the traces are closed");
        var trace = list.Json.GetProperty("traces").EnumerateArray().Select(each => each.GetProperty("id").GetString()!).First();
        await guest.PostAsync(
            "/v1/traces", Span(trace, TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(1), "caller_is_under_arrest"));
        await Task.Delay(Arrival);
        var isThere = (await guest.GetAsync($"/flow/api/traces/{trace}")).Body.Contains("caller_is_under_arrest", StringComparison.Ordinal);
        await guest.SignOutAsync();
        await other.SignOutAsync();
        return Verdict.If(!isThere, $"a span for the trace of another session {(isThere ? "stands there" : "is refused")}");
    }

    /// <summary>The services must not continue a trace that a stranger named.</summary>
    private static async Task<Verdict> TraceOfAStranger(Targets targets)
    {
        using var stranger = new Page(targets.Gateway);
        var trace = NewTrace();
        await stranger.GetAsync("/api/session", ("traceparent", $"00-{trace}-{NewSpan()}-01"));
        var isKept = await IsKeptAsync(targets, trace);
        return Verdict.If(!isKept, $"the services {(isKept ? "continued" : "did not continue")} the trace that a stranger named");
    }

    private static async Task<bool> IsKeptAsync(Targets targets, string trace)
    {
        using var reader = new Page(targets.Gateway);
        return await Wait.UntilAsync(async () => (await reader.GetAsync($"/flow/api/traces/{trace}")).IsOk, Arrival);
    }

    private static string Span(string trace, DateTimeOffset start, TimeSpan duration, string error = "failed")
    {
        var nanoseconds = (UInt128)(start - DateTimeOffset.UnixEpoch).Ticks * 100;
        return $$"""
            {"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"{{trace}}","spanId":"{{NewSpan()}}","name":"set up call",
            "startTimeUnixNano":"{{nanoseconds}}","endTimeUnixNano":"{{nanoseconds + ((UInt128)duration.Ticks * 100)}}",
            "attributes":[{"key":"error.type","value":{"stringValue":"{{error}}"} }],"status":{"code":2} }]}]}]}
            """;
    }

    private static string NewTrace() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    private static string NewSpan() => RandomNumberGenerator.GetHexString(16, lowercase: true);

    private static async Task<Verdict> CallLadderInProduction(Targets targets)
    {
        var gateway = await GatewayAsync(targets);
        using var stranger = new Page(gateway.Address);
        List<string> open = [];
        foreach (var path in (string[])["/flow", "/flow/", "/flow/api/traces", "/flow/api/usage", "/flow/api/resources/turn/console"])
        {
            if ((await stranger.GetAsync(path)).IsOk) open.Add(path);
        }

        return Verdict.If(open.Count == 0, open.Count == 0
            ? "a gateway in Production shows no trace to a stranger" : $"a gateway in Production opens {string.Join(", ", open)}");
    }

    /// <summary>One address takes all event streams.</summary>
    private static async Task<Verdict> EventStreams(Targets targets)
    {
        var flowView = await FlowViewAsync(targets);
        var streams = await Connection.OpenManyAsync(2 * Listeners, () => ListenAsync(flowView.Address, "192.0.2.1"));
        using var other = await ListenAsync(flowView.Address, "198.51.100.1");
        streams.ForEach(stream => stream.Dispose());
        return Verdict.If(other is not null,
            $"one address got {streams.Count} event streams, and another {(other is null ? "none" : "one")}");
    }

    private static async Task<Connection?> ListenAsync(Uri flowView, string from)
    {
        var connection = await Connection.OpenAsync(flowView.Host, flowView.Port);
        await connection.SendAsync(
            $"GET /flow/api/events HTTP/1.1\r\nHost: {flowView.Authority}\r\nX-Forwarded-For: {from}\r\n\r\n");
        if (await connection.ReadStatusAsync() == 200) return connection;
        connection.Dispose();
        return null;
    }

    /// <summary>Requests that a binder refuses must not answer with the headers of the request, or with a stack trace.</summary>
    private static async Task<Verdict> NoCookiesInErrors(Targets targets)
    {
        using var page = await Page.GuestAsync(targets.Gateway);
        string[] paths =
        [
            "/flow/api/traces?min_ms=x", "/flow/api/traces?limit=x", "/flow/api/traces?from=x", "/flow/api/traces?other=x",
            "/flow/api/traces/x", "/api/directory?x=%00", "/sip",
        ];
        List<string> leaks = [];
        foreach (var path in paths)
        {
            foreach (var accept in (string[])["application/json", "text/html", "text/plain"])
            {
                if (Leaks(await page.GetAsync(path, ("Accept", accept)))) leaks.Add(path);
            }
        }

        if (Leaks(await page.PostAsync("/api/session/login", "{"))) leaks.Add("/api/session/login");
        if (Leaks(await page.PostAsync("/v1/traces", "{"))) leaks.Add("/v1/traces");
        await page.SignOutAsync();
        return Verdict.If(leaks.Count == 0, leaks.Count == 0
            ? "no error has a cookie or a stack trace"
            : $"cookies or a stack trace are in the answer of {string.Join(", ", leaks.Distinct())}");
    }

    private static bool Leaks(Answer answer) =>
        answer.Body.Contains("wwsf-", StringComparison.Ordinal) || answer.Body.Contains("   at ", StringComparison.Ordinal);

    /// <summary>Behind a gateway on https.</summary>
    private static async Task<Verdict> CookiesOverHttps(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var page = new Page(own.Wwsf.Address);
        var answer = await page.GetAsync("/api/session", ("X-Forwarded-Proto", "https"));
        var cookies = answer.Headers.TryGetValues("Set-Cookie", out var values) ? values.ToList() : [];
        // Outside of a deletion of the former names.
        cookies.RemoveAll(cookie => cookie.Contains("expires=Thu, 01 Jan 1970", StringComparison.OrdinalIgnoreCase));
        var weak = cookies.Where(cookie => !cookie.StartsWith("__Host-", StringComparison.Ordinal)).Select(cookie => cookie.Split('=')[0]);
        return Verdict.If(cookies.Count > 0 && !weak.Any(),
            $"cookies over https: {string.Join(", ", cookies.Select(each => each.Split('=')[0]))}");
    }

    private static async Task<Verdict> StrictTransport(Targets targets)
    {
        await GatewayAsync(targets);
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.Subject == $"CN={PublicHost}";
        using var http = new HttpClient(handler);
        using var request = new HttpRequestMessage(HttpMethod.Get, PublicUrl);
        // A name other than localhost, which HSTS leaves out.
        request.Headers.Host = PublicHost;
        using var answer = await http.SendAsync(request);
        var hasHeader = answer.Headers.Contains("Strict-Transport-Security");
        return Verdict.If(hasHeader,
            $"a gateway in Production on https answers {(hasHeader ? "with" : "without")} Strict-Transport-Security");
    }

    /// <summary>A name that is rebound to a part whose operator has not listed its hosts.</summary>
    private static async Task<Verdict> RebindingInProduction(Targets targets)
    {
        var own = await targets.OwnAsync();
        (string Name, string Path, Dictionary<string, string> Settings)[] parts =
        [
            ("FlowView", "/flow/api/traces", []), ("EpCscf", "/directory", own.EpCscfSettings()), ("WicWeb", "/", BackEnds(own)),
        ];
        var answers = await Task.WhenAll(parts.Select(async part =>
            $"{part.Name} {await AnswerAsync(part.Name, part.Path, part.Settings)}"));
        var text = string.Join(", ", answers);
        return Verdict.If(!text.Contains("answers", StringComparison.Ordinal),
            $"for another Host, in Production without AllowedHosts: {text}");

        static async Task<string> AnswerAsync(string name, string path, Dictionary<string, string> settings)
        {
            try
            {
                var changed = OwnSystem.InProduction(settings);
                changed.Remove("AllowedHosts");
                await using var part = await Part.StartAsync(name, changed);
                using var page = new Page(part.Address);
                using var socket = await Connection.WebSocketAsync(part.Address, $"Origin: http://{OtherHost}\r\n", OtherHost);
                var code = (await page.GetAsync(path, ("Host", OtherHost))).Code;
                return code is 400 or 403 or 421 && socket is null
                    ? "refuses" : $"answers {code}{(socket is null ? "" : " and opens a WebSocket")}";
            }
            catch (PartException error) when (error.Message.Contains("AllowedHosts", StringComparison.Ordinal))
            {
                return "does not start";
            }
        }
    }

    private static Task<Part> FlowViewAsync(Targets targets) =>
        targets.SharedAsync("FlowView", () => Part.StartAsync("FlowView", new Dictionary<string, string>()));

    /// <summary>A gateway in Production, on http and https, in front of a FlowView in Development.</summary>
    private static async Task<Part> GatewayAsync(Targets targets)
    {
        var settings = OwnSystem.InProduction(BackEnds(await targets.OwnAsync()));
        settings["AllowedHosts"] = $"localhost;{PublicHost}";
        settings["services__flow-view__http__0"] = (await FlowViewAsync(targets)).Address.ToString();
        settings["WicWeb__PublicUrl"] = PublicUrl;
        settings["WicWeb__PublicCertificate"] = WriteCertificate(targets.NewFolder());
        return await targets.SharedAsync("gateway in Production", () => Part.StartAsync("WicWeb", settings));
    }

    private static Dictionary<string, string> BackEnds(OwnSystem own) => new()
    {
        ["services__wwsf__http__0"] = own.Wwsf.Address.ToString(),
        ["services__ep-cscf__http__0"] = own.EpCscf.Address.ToString(),
    };

    private static string WriteCertificate(string folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={PublicHost}", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddHours(1));
        var file = Path.Combine(folder, "gateway.pfx");
        File.WriteAllBytes(file, certificate.Export(X509ContentType.Pkcs12));
        return file;
    }

    /// <summary>A stranger must not make answers that count as failures of the server.</summary>
    private static async Task<Verdict> MalformedBody(Targets targets)
    {
        List<int> codes = [];
        foreach (var path in (string[])["/api/session/anonymous", "/api/session/login", "/v1/traces"])
        {
            using var connection = await Connection.OpenAsync(targets.Gateway.Host, targets.Gateway.Port);
            await connection.SendAsync(
                $"POST {path} HTTP/1.1\r\nHost: {targets.Gateway.Authority}\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n");
            codes.Add(await connection.ReadStatusAsync());
        }

        return Verdict.If(codes.TrueForAll(code => code is >= 400 and < 500),
            $"malformed chunked bodies are answered with {string.Join(", ", codes)}");
    }
}
