using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Tests.Common.Users;

/// <summary>
/// The requests of a page. Each has a connection of its own, so each may come to another replica. All are in one trace.
/// </summary>
public sealed class WebUser : IDisposable
{
    private readonly HttpClient _http;
    private string? _antiforgeryToken;

    private WebUser(Uri gateway, TimeSpan? limit, IPAddress? from)
    {
        var handler = LocalAddress.HandlerFrom(from);
        handler.CookieContainer = new CookieContainer();
        handler.PooledConnectionLifetime = TimeSpan.Zero;
        _http = new HttpClient(handler) { BaseAddress = gateway, Timeout = limit ?? TimeSpan.FromSeconds(10) };
        _http.DefaultRequestHeaders.Add("traceparent", $"00-{TraceId}-{ActivitySpanId.CreateRandom()}-01");
    }

    public string TraceId { get; } = ActivityTraceId.CreateRandom().ToString();

    /// <summary>Begins a session with a password.</summary>
    /// <param name="gateway">The address of the page.</param>
    /// <param name="name">Such as <c>alice</c>.</param>
    /// <param name="password">The password of this user.</param>
    /// <param name="limit">How long a request may take; by default 10 s.</param>
    /// <param name="from">The own address; null for any.</param>
    public static async Task<WebUser> LogInAsync(
        Uri gateway, string name, string password, TimeSpan? limit = null, IPAddress? from = null)
    {
        var user = new WebUser(gateway, limit, from);
        await user.GetSessionAsync();
        var session = await user.SendAsync(HttpMethod.Post, "/api/session/login", new { user_name = name, password });
        user._antiforgeryToken = session.GetProperty("antiforgery_token").GetString();
        Assert.Equal(name, session.GetProperty("user").GetString());
        return user;
    }

    /// <summary>Begins the session of a guest.</summary>
    public static async Task<WebUser> EnterAsGuestAsync(Uri gateway, TimeSpan? limit = null, IPAddress? from = null)
    {
        var guest = new WebUser(gateway, limit, from);
        try
        {
            await guest.GetSessionAsync();
            var session = await guest.SendAsync(HttpMethod.Post, "/api/session/anonymous", new { });
            guest._antiforgeryToken = session.GetProperty("antiforgery_token").GetString();
            return guest;
        }
        catch
        {
            guest.Dispose();
            throw;
        }
    }

    /// <summary>The name of the user in the session; null without one.</summary>
    public async Task<string?> GetSessionAsync()
    {
        var session = await SendAsync(HttpMethod.Get, "/api/session");
        // The token of one replica is good at the other.
        _antiforgeryToken = session.GetProperty("antiforgery_token").GetString();
        return session.GetProperty("user").GetString();
    }

    /// <summary>Ends the session.</summary>
    public async Task SignOutAsync() => await SendAsync(HttpMethod.Delete, "/api/session");

    /// <summary>The token for the IMS.</summary>
    public async Task<string> GetImsTokenAsync() =>
        (await SendAsync(HttpMethod.Post, "/api/ims-token")).GetProperty("access_token").GetString()!;

    /// <summary>The name of the identity in the IMS, such as <c>guest-7</c>, and the token for it.</summary>
    public async Task<(string Name, string Token)> GetImsIdentityAsync()
    {
        var answer = await SendAsync(HttpMethod.Post, "/api/ims-token");
        return (answer.GetProperty("impi").GetString()!.Split('@')[0], answer.GetProperty("access_token").GetString()!);
    }

    /// <summary>A token for TURN, and the UDP address of each server.</summary>
    public async Task<(TurnCredential Credential, IReadOnlyList<TurnUri> Servers)> GetTurnTokenAsync()
    {
        var token = await SendAsync(HttpMethod.Post, "/api/turn-token");
        var uris = token.GetProperty("uris").EnumerateArray().Select(uri => uri.GetString()!);
        return (TurnCredential.AccessToken(
                token.GetProperty("kid").GetString()!, token.GetProperty("access_token").GetBytesFromBase64(),
                token.GetProperty("key").GetBytesFromBase64()),
            [.. uris.Where(uri => uri.EndsWith("=udp", StringComparison.Ordinal)).Select(TurnUri.Parse)]);
    }

    public void Dispose() => _http.Dispose();

    /// <exception cref="HttpRequestException">There is no answer, or it is an error.</exception>
    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (method != HttpMethod.Get) request.Headers.Add("X-XSRF-TOKEN", _antiforgeryToken);
        if (body is not null) request.Content = JsonContent.Create(body);
        using var answer = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"{method} {path}: {(int)answer.StatusCode} {text}", null, answer.StatusCode);
        return text.Length == 0 ? default : JsonElement.Parse(text);
    }
}
