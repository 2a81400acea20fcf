using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The page in a browser, with its cookies and the latest antiforgery token.</summary>
internal sealed class Page(HttpClient http, string api = "/api")
{
    public const string SessionCookie = "wwsf-session";

    public string Api => api;

    public Dictionary<string, string> Cookies { get; private init; } = [];

    public string AntiforgeryToken { get; set; } = "";

    /// <summary>Another page in a frame of this one, with its own API. The browser also sends the cookies of this page there.</summary>
    public async Task<Page> OpenFrameAsync()
    {
        var frame = new Page(http, $"/api/demo/{Guid.NewGuid()}") { Cookies = new(Cookies) };
        await frame.LoadAsync();
        return frame;
    }

    /// <summary>The same browser at another instance of the WWSF.</summary>
    public async Task<Page> MoveToAsync(WwsfApp app)
    {
        var page = await app.OpenPageAsync();
        foreach (var (name, value) in Cookies) page.Cookies[name] = value;
        await page.LoadAsync();
        return page;
    }

    public async Task<Answer> LoadAsync() => await SendAsync(HttpMethod.Get, $"{Api}/session");

    /// <summary>A log-in through the gateway from this address.</summary>
    public Task<Answer> LogInFromAsync(string address, string userName, string password) => SendAsync(
        HttpMethod.Post, $"{Api}/session/login", new { user_name = userName, password }, ("X-Forwarded-For", address));

    public Task<Answer> LogInAsync(string userName, string password) =>
        SendAsync(HttpMethod.Post, $"{Api}/session/login", new { user_name = userName, password });

    public Task<Answer> ContinueAsGuestAsync() => SendAsync(HttpMethod.Post, $"{Api}/session/anonymous");

    public Task<Answer> SignOutAsync() => SendAsync(HttpMethod.Delete, $"{Api}/session");

    public Task<Answer> TurnTokenAsync() => SendAsync(HttpMethod.Post, $"{Api}/turn-token");

    /// <summary>A POST in the trace of the page.</summary>
    public Task<Answer> TraceAsync(string path, ActivityTraceId trace) =>
        SendAsync(HttpMethod.Post, path, null, ("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01"));

    public Task<Answer> ImsTokenAsync() => SendAsync(HttpMethod.Post, $"{Api}/ims-token");

    public async Task<Answer> SendAsync(HttpMethod method, string path, object? body = null, params (string Name, string Value)[] headers)
    {
        var content = body as HttpContent ?? (body is null ? null : JsonContent.Create(body));
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (Cookies.Count > 0) request.Headers.Add("Cookie", string.Join("; ", Cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
        if (AntiforgeryToken.Length > 0) request.Headers.Add("X-XSRF-TOKEN", AntiforgeryToken);
        foreach (var (name, value) in headers) request.Headers.Add(name, value);

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        var answer = await Answer.ReadAsync(response);
        Keep(answer.SetCookies);
        if (answer.Json.TryGetProperty("antiforgery_token", out var token)) AntiforgeryToken = token.GetString()!;
        return answer;
    }

    private void Keep(IReadOnlyList<string> setCookies)
    {
        foreach (var pair in setCookies.Select(cookie => cookie.Split(';')[0].Split('=', 2)))
        {
            if (pair[1].Length == 0) Cookies.Remove(pair[0]);
            else Cookies[pair[0]] = pair[1];
        }
    }
}

/// <summary>A complete response of the WWSF. A redirect has no JSON.</summary>
internal sealed record Answer(
    HttpStatusCode Status, JsonElement Json, IReadOnlyDictionary<string, string> Headers, IReadOnlyList<string> SetCookies)
{
    public string? Code => Text("code");

    public IEnumerable<string> Members => Json.EnumerateObject().Select(member => member.Name);

    public string? Text(string member) => Json.TryGetProperty(member, out var value) ? value.GetString() : null;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var headers = response.Headers.Concat(response.Content.Headers).Where(header => header.Key != "Set-Cookie")
            .ToDictionary(header => header.Key, header => string.Join(", ", header.Value));
        var cookies = response.Headers.TryGetValues("Set-Cookie", out var values) ? values.ToList() : [];
        return new(response.StatusCode, JsonElement.Parse(body.Length > 0 ? body : "{}"), headers, cookies);
    }
}
