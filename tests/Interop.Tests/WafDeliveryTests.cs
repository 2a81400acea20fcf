using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests;

/// <summary>The WAF makes the long-term keys, and the TURN server fetches them: two programs that share no key in their settings.</summary>
public sealed class WafDeliveryTests
{
    private const string TurnServer = "turn.example.org";
    private const string ClientId = "sample";
    private const string Secret = "0123456789abcdef0123456789abcdef";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    [Requirement("ABUSE-48")]
    public async Task TokensOfEveryKey_AreAcceptedThroughThreeRotations()
    {
        using var ofWaf = new TestCertificate();
        using var ofTurn = new TestCertificate();
        await using var waf = await WafProcess.StartAsync(
            ("Kestrel__Certificates__Default__Path", ofWaf.CertificateFile),
            ("Kestrel__Certificates__Default__KeyPath", ofWaf.KeyFile),
            ("Waf__TurnServers__0__Name", TurnServer),
            ("Waf__TurnServers__0__Kid", "k"),
            ("Waf__TurnServers__0__KeyRotation", "00:00:06"),
            ("Waf__TurnServers__0__KeyLeadTime", "00:00:03"),
            ("Waf__TurnServers__0__CertificateSha256", ofTurn.Thumbprint),
            ("Waf__Clients__0__ClientId", ClientId),
            ("Waf__Clients__0__ClientSecret", Secret),
            ("Waf__Clients__0__Audiences__0", TurnServer));
        await using var turn = await TurnServerProcess.StartAsync(
            ("Turn__ServerName", TurnServer),
            ("Turn__KeyDelivery__Address", waf.SecureAddress),
            ("Turn__KeyDelivery__Authority", ofWaf.CertificateFile),
            ("Turn__KeyDelivery__Certificate", ofTurn.CertificateFile),
            ("Turn__KeyDelivery__CertificateKey", ofTurn.KeyFile),
            ("Turn__KeyDelivery__Interval", "00:00:01"));
        await turn.WaitForOutputAsync("The long-term keys have been fetched from the WAF");

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        Dictionary<string, TurnCredential> tokens = [];
        while (tokens.Count < 4)
        {
            var token = await IssueAsync(waf, limit.Token);
            await AllocateAsync(turn, token.Credential);
            tokens[token.Kid] = token.Credential;
            await Task.Delay(100, limit.Token);
        }

        // The first token has not ended, so the key that made it is still accepted.
        await AllocateAsync(turn, tokens.First().Value);
        Assert.All(tokens.Keys, kid => Assert.StartsWith("k.", kid, StringComparison.Ordinal));
        Assert.DoesNotContain("came under the key", turn.Output, StringComparison.Ordinal);
    }

    private static async Task<(string Kid, TurnCredential Credential)> IssueAsync(WafProcess waf, CancellationToken cancel)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{ClientId}:{Secret}")));
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = "stun",
            ["aud"] = TurnServer,
            ["alg"] = "HMAC-SHA-256-128",
        });
        using var response = await http.PostAsync(new Uri($"{waf.Address}/oauth2/token"), form, cancel);
        Assert.True(response.IsSuccessStatusCode, waf.Output);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(cancel);
        var kid = body.GetProperty("kid").GetString()!;
        return (kid, TurnCredential.AccessToken(
            kid, body.GetProperty("access_token").GetBytesFromBase64(), body.GetProperty("key").GetBytesFromBase64()));
    }

    private static async Task AllocateAsync(TurnServerProcess turn, TurnCredential token)
    {
        await using var client = await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{turn.Port}"), cancellationToken: Cancel);
        await client.AllocateAsync(token, cancellationToken: Cancel);
    }
}
