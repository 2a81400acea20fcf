using System.Text.Json;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Abuse.Frame;

/// <summary>A browser without a screen: cookies, the antiforgery token, and the requests of the page.</summary>
internal sealed class Page : IDisposable
{
    private readonly HttpClient _http;

    /// <param name="address">The gateway, or a part of our own.</param>
    /// <param name="from">
    /// The address of the client, for a part of our own: parts accept <c>X-Forwarded-For</c> of this machine, where their gateway is.
    /// </param>
    public Page(Uri address, string? from = null)
    {
        Address = address;
        var handler = new SocketsHttpHandler { CookieContainer = Cookies, AllowAutoRedirect = false };
        _http = new HttpClient(handler) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
        if (from is not null) _http.DefaultRequestHeaders.Add("X-Forwarded-For", from);
    }

    public Uri Address { get; }

    public CookieContainer Cookies { get; } = new();

    public string? AntiforgeryToken { get; private set; }

    public static async Task<Page> GuestAsync(Uri address, string? from = null)
    {
        var page = new Page(address, from);
        await page.BeginAsync();
        Require(await page.PostAsync("/api/session/anonymous"));
        return page;
    }

    public static async Task<Page> UserAsync(Uri address, string name, string? from = null)
    {
        var page = new Page(address, from);
        await page.BeginAsync();
        Require(await page.LogInAsync(name, DemoUser.PasswordOf(name)));
        return page;
    }

    /// <summary>Gets the antiforgery token.</summary>
    public Task<Answer> BeginAsync() => SendAsync(HttpMethod.Get, "/api/session");

    public Task<Answer> LogInAsync(string name, string password) =>
        PostAsync("/api/session/login", new { user_name = name, password });

    public Task<Answer> SignOutAsync() => SendAsync(HttpMethod.Delete, "/api/session");

    public async Task<TurnToken> TurnTokenAsync() => TurnToken.Read(Require(await PostAsync("/api/turn-token")).Json);

    public async Task<string> ImsTokenAsync() =>
        Require(await PostAsync("/api/ims-token")).Json.GetProperty("access_token").GetString()!;

    public Task<Answer> GetAsync(string path, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, path, null, headers);

    public Task<Answer> PostAsync(string path, object? body = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, path, body, headers);

    public async Task<Answer> SendAsync(HttpMethod method, string path, object? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (AntiforgeryToken is not null) request.Headers.Add("X-XSRF-TOKEN", AntiforgeryToken);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        if (body is not null)
            request.Content = new StringContent(body as string ?? JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        var answer = await Answer.ReadAsync(await _http.SendAsync(request));
        if (answer.IsOk && answer.Body.Contains("\"antiforgery_token\"", StringComparison.Ordinal))
            AntiforgeryToken = answer.Json.GetProperty("antiforgery_token").GetString();
        return answer;
    }

    public void Dispose() => _http.Dispose();

    private static Answer Require(Answer answer) =>
        answer.IsOk ? answer : throw new InvalidDataException($"{answer.Code}: {answer.Start}");
}

/// <summary>The two users of Development. Their passwords are in the README.</summary>
internal static class DemoUser
{
    public const string Alice = "alice";
    public const string Bob = "bob";

    public static string PasswordOf(string name) => name == Alice ? "alice-calls-bob" : "bob-calls-alice";
}

/// <summary>A TURN token with its key, as the page gets it.</summary>
internal sealed record TurnToken(IReadOnlyList<TurnUri> Servers, TurnCredential Credential, string Username, string Password)
{
    public TurnUri Udp => Servers.First(server => server.Transport == TurnTransport.Udp);

    public TurnUri Tcp => Servers.First(server => server.Transport == TurnTransport.Tcp);

    public static TurnToken Read(JsonElement answer)
    {
        var server = answer.GetProperty("ice_servers")[0];
        return new(
            [.. answer.GetProperty("uris").EnumerateArray().Select(uri => TurnUri.Parse(uri.GetString()!))],
            TurnCredential.AccessToken(
                answer.GetProperty("kid").GetString()!, answer.GetProperty("access_token").GetBytesFromBase64(),
                answer.GetProperty("key").GetBytesFromBase64()),
            server.GetProperty("username").GetString()!, server.GetProperty("credential").GetString()!);
    }
}
