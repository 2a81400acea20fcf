namespace WebRtcIms.Abuse.Findings;

/// <summary>The gateway and FlowView: S3, S4, S5, S18 (HSTS), S21 and S26.</summary>
internal static class Telemetry
{
    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S5", NoCookiesInErrors),
        new("S26", MalformedBody),
    ];

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
                var answer = await page.GetAsync(path, ("Accept", accept));
                if (Leaks(answer)) leaks.Add(path);
            }
        }

        if (Leaks(await page.PostAsync("/api/session/login", "{"))) leaks.Add("/api/session/login");
        if (Leaks(await page.PostAsync("/v1/traces", "{"))) leaks.Add("/v1/traces");
        await page.SignOutAsync();
        return Verdict.If(leaks.Count == 0, leaks.Count == 0
            ? "no error has a cookie or a stack trace" : $"the cookies or a stack trace are in the answer of {string.Join(", ", leaks.Distinct())}");
    }

    private static bool Leaks(Answer answer) =>
        answer.Body.Contains("wwsf-", StringComparison.Ordinal) || answer.Body.Contains("   at ", StringComparison.Ordinal);

    /// <summary>A stranger must not make answers that count as failures of the server.</summary>
    private static async Task<Verdict> MalformedBody(Targets targets)
    {
        using var connection = await Connection.OpenAsync(targets.Gateway.Host, targets.Gateway.Port);
        await connection.SendAsync(
            $"POST /api/session/anonymous HTTP/1.1\r\nHost: {targets.Gateway.Authority}\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n");
        var status = await connection.ReadStatusAsync();
        return Verdict.If(status is >= 400 and < 500, $"a malformed chunked body is answered with {status}");
    }
}
