using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests.Fleet;

/// <summary>
/// The WAF makes the long-term keys, and the TURN server fetches them: two programs that share no key in their settings, and no Redis.
/// </summary>
public sealed class ScheduledRotationTests
{
    private const string TurnServer = "turn.example.org";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

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
            ("Waf__Clients__0__Audiences__0", TurnServer));
        await using var node = await Node.StartAsync(
            ("Turn__ServerName", TurnServer),
            ("Turn__KeyDelivery__Address", waf.SecureAddress),
            ("Turn__KeyDelivery__Authority", ofWaf.CertificateFile),
            ("Turn__KeyDelivery__Certificate", ofTurn.CertificateFile),
            ("Turn__KeyDelivery__CertificateKey", ofTurn.KeyFile),
            ("Turn__KeyDelivery__Interval", "00:00:01"));

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        Dictionary<string, TurnCredential> tokens = [];
        while (tokens.Count < 4)
        {
            var token = await waf.GetTokenAsync(TurnServer, limit.Token);
            await node.AllocateAsync(token.Credential);
            tokens[token.Kid] = token.Credential;
            await Task.Delay(100, limit.Token);
        }

        // The first token has not ended, so the key that made it is still accepted.
        await node.AllocateAsync(tokens.First().Value);
        Assert.All(tokens.Keys, kid => Assert.StartsWith("k.", kid, StringComparison.Ordinal));
        Assert.DoesNotContain("came under the key", node.Output, StringComparison.Ordinal);
    }
}
