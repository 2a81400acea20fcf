using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>
/// The WAF in this process, with a store of its own, two TURN servers and two clients. <see cref="Client"/> may get tokens for both
/// servers, <see cref="OtherClient"/> only for the second.
/// </summary>
public sealed class WafApp : ServiceApp<WafApp, Program>
{
    public const string Client = "wwsf";
    public const string ClientSecret = "s3cret+of/the client: 8%41?";
    public const string OtherClient = "other";
    public const string OtherSecret = "another-s3cret-of-more";
    public const string TurnServer = "turn.example.org";
    public const string SecondTurnServer = "turn2.example.org";

    private static readonly byte[] LongTermKey = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] SecondLongTermKey = RandomNumberGenerator.GetBytes(16);

    public WafApp()
    {
        foreach (var (name, value) in GoodSettings()) With(name, value);
        With("environment", "Development");
        With("ConnectionStrings:waf", $"Data Source={StoreDirectory}/waf.db");
        RemoteAddress = IPAddress.Loopback;
    }

    public string StoreDirectory => Path.Combine(Folder, "data");

    /// <summary>Settings without a mistake.</summary>
    public static Dictionary<string, string> GoodSettings() => new()
    {
        ["Waf:TurnServers:0:Name"] = TurnServer,
        ["Waf:TurnServers:0:Kid"] = "k1",
        ["Waf:TurnServers:0:Key"] = Convert.ToBase64String(LongTermKey),
        ["Waf:TurnServers:1:Name"] = SecondTurnServer,
        ["Waf:TurnServers:1:Kid"] = "k2",
        ["Waf:TurnServers:1:Key"] = Convert.ToBase64String(SecondLongTermKey),
        ["Waf:TurnServers:1:Algorithm"] = "A128GCM",
        ["Waf:TurnServers:1:TokenLifetime"] = "00:01:30",
        ["Waf:Clients:0:ClientId"] = Client,
        ["Waf:Clients:0:ClientSecret"] = ClientSecret,
        ["Waf:Clients:0:Audiences:0"] = TurnServer,
        ["Waf:Clients:0:Audiences:1"] = SecondTurnServer,
        ["Waf:Clients:1:ClientId"] = OtherClient,
        ["Waf:Clients:1:ClientSecret"] = OtherSecret,
        ["Waf:Clients:1:Audiences:0"] = SecondTurnServer,
    };

    /// <summary>The keys as the TURN servers have them.</summary>
    public static AccessTokenKeyRing KeyRing() => new(
    [
        new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, LongTermKey),
        new AccessTokenKey("k2", AccessTokenAlgorithm.A128Gcm, SecondLongTermKey),
    ]);

    /// <summary>Decrypts as the TURN server of this name does; throws when it would answer 401.</summary>
    public static AccessToken Decrypt(string kid, string token, string turnServer)
    {
        var key = KeyRing().Find(Encoding.UTF8.GetBytes(kid), DateTimeOffset.UnixEpoch);
        Assert.NotNull(key);
        Assert.Equal(
            AccessTokenStatus.Valid, key.TryDecrypt(Convert.FromBase64String(token), Encoding.UTF8.GetBytes(turnServer), out var content));
        return content;
    }
}
