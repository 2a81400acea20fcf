using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Hosting;
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
    public const string Issuer = "https://waf.example.org/";
    public const string MutualTlsAddress = "https://mtls.waf.example.org/";

    private static readonly byte[] LongTermKey = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] SecondLongTermKey = RandomNumberGenerator.GetBytes(16);

    private TestCertificate? _server;

    public WafApp()
    {
        foreach (var (name, value) in GoodSettings()) With(name, value);
        With("environment", "Development");
        With("ConnectionStrings:waf", $"Data Source={StoreDirectory}/waf.db");
        RemoteAddress = IPAddress.Loopback;
    }

    public string StoreDirectory => Path.Combine(Folder, "data");

    /// <summary>The certificate that requests show after <see cref="ListenWithTls"/>; null for none.</summary>
    public TestCertificate? Certificate { get; set; }

    /// <summary>Offers mutual TLS at another name of the service.</summary>
    public WafApp WithMutualTls() => With("Waf:Issuer", Issuer).With("Waf:MutualTlsAddress", MutualTlsAddress);

    /// <summary>Starts the service on Kestrel with TLS.</summary>
    public WafApp ListenWithTls(TestCertificate server)
    {
        _server = server;
        return Listen(kestrel => kestrel.Listen(
            IPAddress.Loopback, 0, listen => listen.UseHttps(X509Certificate2.CreateFromPemFile(server.CertificateFile, server.KeyFile))));
    }

    /// <summary>A client that connects as <see cref="Certificate"/>.</summary>
    public HttpClient Connect()
    {
        if (_server is null) return CreateClient();
        var own = Certificate is null ? null : X509Certificate2.CreateFromPemFile(Certificate.CertificateFile, Certificate.KeyFile);
        return new HttpClient(new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) => _server.Trusts(certificate),
                LocalCertificateSelectionCallback = (_, _, _, _, _) => own!,
                ClientCertificates = own is null ? [] : [own],
            },
        })
        { BaseAddress = Address };
    }

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
