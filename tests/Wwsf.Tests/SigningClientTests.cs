using System.Net;
using System.Security.Cryptography;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A WWSF that signs its requests (private_key_jwt, RFC 7523), and the real WAF, which has only the public key.</summary>
public sealed class SigningClientTests : IAsyncLifetime
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly string _file = Path.GetTempFileName();
    private WafProcess? _waf;

    // As an operator does it: the key that the WWSF logs goes into the settings of the WAF.
    public async ValueTask InitializeAsync() =>
        _waf = await WafProcess.StartAsync(WafSigning.Jwks(_key));

    public async ValueTask DisposeAsync()
    {
        if (_waf is not null) await _waf.DisposeAsync();
        File.Delete(_file);
        _key.Dispose();
    }

    [Fact]
    [Requirement("RFC7523-3-1")]
    public async Task TurnTokenComes_AgainAndAgain()
    {
        using var app = Signing(_key);
        var page = await app.OpenPageAsGuestAsync();

        for (var i = 0; i < 2; i++)
        {
            var answer = await page.TurnTokenAsync();
            Assert.Equal(HttpStatusCode.OK, answer.Status);
            Assert.Equal("k1", answer.Text("kid"));
            Assert.Equal(Convert.FromBase64String(answer.Text("key")!), _waf!.Decrypt(answer.Text("access_token")!).MacKey.ToArray());
        }
    }

    [Fact]
    [Requirement("ABUSE-90")]
    public async Task WrongKey_IsRefused_AndTheLogNamesTheSettings()
    {
        using var another = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var app = Signing(another);
        var answer = await (await app.OpenPageAsGuestAsync()).TurnTokenAsync();

        Assert.Equal((HttpStatusCode.BadGateway, "waf_refused"), (answer.Status, answer.Code));
        var record = Assert.Single(app.LogsWith("Error WebRtcIms.Wwsf.Waf.WafClient"));
        Assert.Contains("refused the TURN token request with HTTP 401, OAuth error invalid_client.", record, StringComparison.Ordinal);
        Assert.Contains("Wwsf:Waf:KeyFile and Wwsf:Waf:Issuer", record, StringComparison.Ordinal);
    }

    private WwsfApp Signing(ECDsa key)
    {
        File.WriteAllText(_file, key.ExportPkcs8PrivateKeyPem());
        return new WwsfApp()
            .With("services:waf:http:0", _waf!.Address)
            .With("Wwsf:TurnServerName", WafProcess.TurnServer)
            .With("Wwsf:Waf:ClientSecret", "")
            .With("Wwsf:Waf:KeyFile", _file)
            .With("Wwsf:Waf:Issuer", WafProcess.Issuer);
    }
}
