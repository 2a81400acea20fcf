using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// The real WAF on a free loopback port, with one TURN server. The test project refers to <c>Waf</c>, so
/// that <c>WebRtcIms.Waf.dll</c> stands beside the tests.
/// </summary>
internal sealed class WafProcess : ServerProcess
{
    public const string Issuer = "https://waf.example.org/";
    public const string TurnServer = "turn.example.org";
    public const string OtherTurnServer = "other.example.org";

    private readonly byte[] _longTermKey;
    private readonly DirectoryInfo _directory;

    private WafProcess(ProcessStartInfo start, DirectoryInfo directory, byte[] longTermKey)
        : base(start) => (_directory, _longTermKey) = (directory, longTermKey);

    public required string Address { get; init; }

    /// <summary>The long-term key of <see cref="TurnServer"/>, whose kid is k1, in base64.</summary>
    public string LongTermKey => Convert.ToBase64String(_longTermKey);

    /// <summary>Starts it with one client that signs.</summary>
    public static Task<WafProcess> StartAsync(string jwks) => StartAsync(
        FreePorts.Tcp(),
        ("Waf__Clients__0__ClientId", "wwsf"), ("Waf__Clients__0__Jwks", jwks), ("Waf__Clients__0__Audiences__0", TurnServer));

    /// <summary>Starts it with one client that has a secret, and may get tokens for two TURN servers.</summary>
    public static Task<WafProcess> StartWithTwoServersAsync(string clientSecret) => StartAsync(
        FreePorts.Tcp(),
        ("Waf__TurnServers__1__Name", OtherTurnServer), ("Waf__TurnServers__1__Kid", "k2"),
        ("Waf__TurnServers__1__Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
        ("Waf__Clients__0__ClientId", "wwsf"), ("Waf__Clients__0__ClientSecret", clientSecret),
        ("Waf__Clients__0__Audiences__0", TurnServer), ("Waf__Clients__0__Audiences__1", OtherTurnServer));

    /// <summary>Starts it with an initial access token for one client, and with an empty store.</summary>
    public static Task<WafProcess> StartWithInitialAccessTokenAsync(int port, string token) => StartAsync(
        port,
        ("Waf__InitialAccessTokens__0__Name", "wwsf"), ("Waf__InitialAccessTokens__0__Token", token),
        ("Waf__InitialAccessTokens__0__Audiences__0", TurnServer));

    // Waits until it has refused a token request of a stranger. The first request makes the runtime compile much of the WAF. On a busy
    // machine that takes longer than the WWSF waits for a token.
    private static async Task<WafProcess> StartAsync(int port, params (string Name, string Value)[] clients)
    {
        var address = $"http://127.0.0.1:{port}";
        var key = RandomNumberGenerator.GetBytes(32);

        // A directory of its own, so that it has only these settings.
        var directory = Directory.CreateTempSubdirectory("wwsf-tests-waf-");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Waf.dll")])
        {
            WorkingDirectory = directory.FullName,
            Environment =
            {
                ["ASPNETCORE_URLS"] = address,
                ["AllowedHosts"] = "127.0.0.1",
                ["ConnectionStrings__waf"] = "Data Source=waf.db",
                ["Waf__Issuer"] = Issuer,
                ["Waf__TurnServers__0__Name"] = TurnServer,
                ["Waf__TurnServers__0__Kid"] = "k1",
                ["Waf__TurnServers__0__Key"] = Convert.ToBase64String(key),
            },
        };
        foreach (var (name, value) in clients) start.Environment[name] = value;
        var waf = new WafProcess(start, directory, key) { Address = address };
        using var http = new HttpClient();
        await waf.UntilUpAsync(cancel => waf.AnswersAsync(http, cancel));
        return waf;
    }

    /// <summary>Decrypts a valid token as the TURN server does.</summary>
    public AccessToken Decrypt(string token)
    {
        var key = new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, _longTermKey);
        var status = key.TryDecrypt(Convert.FromBase64String(token), Encoding.UTF8.GetBytes(TurnServer), out var content);
        Assert.Equal(AccessTokenStatus.Valid, status);
        return content;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private async Task<bool> AnswersAsync(HttpClient http, CancellationToken cancel)
    {
        try
        {
            using var request = new FormUrlEncodedContent(
                [new("grant_type", "client_credentials"), new("client_id", "stranger"), new("client_secret", "unknown")]);
            using var answer = await http.PostAsync(new Uri($"{Address}/oauth2/token"), request, cancel);
            return answer.StatusCode == HttpStatusCode.Unauthorized;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
