using Microsoft.Extensions.Configuration;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests;

/// <summary>Wrong settings stop the start with one message that names every one of them.</summary>
public sealed class SettingsTests
{
    private static readonly Dictionary<string, string?> Good = new()
    {
        ["Turn:Keys:0:Kid"] = "k1",
        ["Turn:Keys:0:Key"] = Convert.ToBase64String(new byte[32]),
    };

    [Fact]
    public void OneKey_IsEnough()
    {
        var settings = Read(Good);

        Assert.Equal(3478, settings.Port);
        Assert.Equal("127.0.0.1", Assert.Single(TurnSettings.Addresses(settings.ListenAddress)).ToString());
    }

    [Theory]
    [InlineData("Turn:ServerName", " ", "Turn:ServerName must have 1 to 255 characters")]
    [InlineData("Turn:Realm", "", "Turn:Realm must have 1 to 127 characters")]
    [InlineData("Turn:Port", "65536", "Turn:Port must be from 1 to 65535")]
    [InlineData("Turn:Port", "0", "Turn:Port must be from 1 to 65535")]
    [InlineData("Turn:Workers", "0", "Turn:Workers must be from 1 to 256")]
    [InlineData("Turn:RelayPorts:Min", "80", "Turn:RelayPorts:Min and Turn:RelayPorts:Max must be a range within 1024 to 65535")]
    [InlineData("Turn:RelayPorts:Max", "5000", "Turn:RelayPorts:Min and Turn:RelayPorts:Max must be a range within 1024 to 65535")]
    [InlineData("Turn:Keys:0:Kid", "a~b", "Turn:Keys:0:Kid must have 1 to 128 octets and no '~'")]
    [InlineData("Turn:Keys:0:Kid", "k1\nfail", "Turn:Keys:0:Kid must not have control characters")]
    [InlineData("Turn:FleetKey", "AAAA", "Turn:FleetKey must have 32 octets or more in base64")]
    [InlineData("Turn:FleetKey", "not base64!", "Turn:FleetKey must have 32 octets or more in base64")]
    [InlineData("Turn:Keys:0:Key", "AAAA", "Turn:Keys:0:Key must have 32 octets or more for A256GCM")]
    [InlineData("Turn:Keys:0:Key", "not base64!", "Turn:Keys:0:Key must be base64")]
    [InlineData("Turn:Keys:0:Algorithm", "A256CBC-HS512", "Turn:Keys:0:Algorithm must be A256GCM or A128GCM")]
    [InlineData("Turn:ListenAddress", "localhost", "Turn:ListenAddress: 'localhost' is not an IP address")]
    [InlineData("Turn:ListenAddress", " , ", "Turn:ListenAddress is empty: give an address, or 0.0.0.0 for all")]
    [InlineData("Turn:ListenAddress", "224.0.0.1", "Turn:ListenAddress: '224.0.0.1' is not the address of one machine")]
    [InlineData("Turn:RelayAddress", "ff02::1", "Turn:RelayAddress: 'ff02::1' is not the address of one machine")]
    [InlineData("Turn:RelayAddress", "0.0.0.0", "Turn:RelayAddress: peers cannot reach '0.0.0.0'; give an address of this machine")]
    [InlineData("Turn:RelayAddress", "10.0.0.1,::", "Turn:RelayAddress: peers cannot reach '::'; give an address of this machine")]
    [InlineData("Turn:RelayAddress", "::ffff:0.0.0.0", "Turn:RelayAddress: peers cannot reach '::ffff:0.0.0.0'")]
    [InlineData("Turn:RelayAddress", "fe80::1", "Turn:RelayAddress: peers cannot reach 'fe80::1'; give an address of this machine")]
    [InlineData("Turn:PublicAddress", "1.2.3.4.5", "Turn:PublicAddress: '1.2.3.4.5' is neither an IP address nor a host name")]
    [InlineData("Turn:PublicAddress", "300.1.1.1", "Turn:PublicAddress: '300.1.1.1' is neither an IP address nor a host name")]
    [InlineData("Turn:PublicAddress", "turn 1", "Turn:PublicAddress: 'turn 1' is neither an IP address nor a host name")]
    [InlineData("Turn:PublicAddress", "0.0.0.0", "Turn:PublicAddress: peers cannot reach '0.0.0.0'")]
    [InlineData("Turn:PublicAddress", "::", "Turn:PublicAddress: peers cannot reach '::'")]
    [InlineData("Turn:PublicAddress", "255.255.255.255", "Turn:PublicAddress: peers cannot reach '255.255.255.255'")]
    [InlineData("Turn:PublicAddress", "203.0.113.1/0.0.0.0", "Turn:PublicAddress: '0.0.0.0' is not an address of this machine")]
    [InlineData("Turn:PublicAddress", "203.0.113.1/fd00::1", "Turn:PublicAddress: peers cannot reach '203.0.113.1/fd00::1'")]
    [InlineData("Turn:PublicAddress", "203.0.113.1/10.0.0.1/32", "Turn:PublicAddress: '203.0.113.1/10.0.0.1/32' is not a public address")]
    [InlineData("Turn:DeniedPeers:0", "10.0.0.0/33", "Turn:DeniedPeers: '10.0.0.0/33' is not a range such as 10.1.0.0/16")]
    [InlineData("Turn:AllowedPeers:0", "everything", "Turn:AllowedPeers: 'everything' is not a range such as 10.1.0.0/16")]
    [InlineData("Turn:StaticUsers:0:Name", "alice", "Turn:StaticUsers:0:Password is missing")]
    [InlineData("Turn:Quotas:Total", "0", "Turn:Quotas:Total must be at least 1")]
    [InlineData("Turn:Quotas:PacketsPerSecond", "-1", "Turn:Quotas:PacketsPerSecond must be 0 (no limit) or more")]
    [InlineData("Turn:Quotas:BytesPerSecond", "-1", "Turn:Quotas:BytesPerSecond must be 0 (no limit) or more")]
    [Requirement("ABUSE-84")]
    [Requirement("NET-11")]
    public void WrongValue_IsNamedWithWhatIsExpected(string setting, string value, string message)
    {
        var error = Assert.Throws<SettingsException>(() => Read(new Dictionary<string, string?>(Good) { [setting] = value }));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public void SeveralMistakes_AreToldTogether_AndNoKeyIsShown()
    {
        var key = Convert.ToBase64String("a weak key"u8);
        var error = Assert.Throws<SettingsException>(() => Read(new Dictionary<string, string?>(Good)
        {
            ["Turn:Port"] = "0",
            ["Turn:Keys:1:Kid"] = "k1",
            ["Turn:Keys:1:Key"] = key,
        }));

        Assert.Contains("Turn:Port", error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:Keys:1:Key must have", error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:Keys has the Kid 'k1' twice", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CertificateWithItsKey_IsTaken()
    {
        using var certificate = new TestCertificate();

        var settings = Read(new(Good) { ["Turn:TlsCertificate"] = certificate.CertificateFile, ["Turn:TlsKey"] = certificate.KeyFile });

        Assert.Equal((certificate.CertificateFile, 5349), (settings.TlsCertificate, settings.TlsPort));
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public void CertificateOfNoUse_IsNamedWithTheReason_AndNoKeyIsShown()
    {
        using var certificate = new TestCertificate();
        using var other = new TestCertificate();
        var (file, key) = (certificate.CertificateFile, certificate.KeyFile);

        AssertRefused(WithTls(file + "x", key), $"Turn:TlsCertificate: '{file}x' cannot be read (FileNotFoundException)");
        AssertRefused(WithTls(file, key + "x"), $"Turn:TlsKey: '{key}x' cannot be read (FileNotFoundException)");
        AssertRefused(WithTls(file, other.KeyFile), $"Turn:TlsKey: '{other.KeyFile}' is not the key of the certificate in '{file}'");
        AssertRefused(WithTls(file, file), $"Turn:TlsKey: '{file}' has no private key");
        AssertRefused(WithTls(key, key), $"Turn:TlsCertificate: '{key}' has no certificate");
        AssertRefused(WithTls(file, null), $"Turn:TlsKey is missing: '{file}' has no private key");
        AssertRefused(WithTls(null, key), "Turn:TlsKey needs Turn:TlsCertificate");
        AssertRefused(new(WithTls(file, key)) { ["Turn:TlsPort"] = "3478" }, "Turn:TlsPort must differ from Turn:Port");
        AssertRefused(new(WithTls(file, key)) { ["Turn:TlsPort"] = "0" }, "Turn:TlsPort must be from 1 to 65535");

        static Dictionary<string, string?> WithTls(string? certificate, string? key) =>
            new(Good) { ["Turn:TlsCertificate"] = certificate, ["Turn:TlsKey"] = key };

        static void AssertRefused(Dictionary<string, string?> settings, string sentence)
        {
            var message = Assert.Throws<SettingsException>(() => Read(settings)).Message;
            Assert.Contains(sentence, message, StringComparison.Ordinal);
            Assert.DoesNotContain("BEGIN", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public void KeyDelivery_NeedsNoKey_AndItsProblemsAreNamed()
    {
        using var certificate = new TestCertificate();
        using var other = new TestCertificate();
        var (file, key) = (certificate.CertificateFile, certificate.KeyFile);
        const string Address = "Turn:KeyDelivery:Address must be an https address without a path";

        Assert.Equal(TimeSpan.FromSeconds(20), Read(With()).KeyDelivery!.Interval);
        Assert.Null(Read(Good).KeyDelivery);
        AssertRefused(With(("Address", null)), Address);
        AssertRefused(With(("Address", "http://waf.example.org:8444")), Address);
        AssertRefused(With(("Address", "https://waf.example.org/keys")), Address);
        AssertRefused(With(("Address", "https://turn:BEGIN@waf.example.org")), Address);
        AssertRefused(With(("Certificate", file + "x")), $"Turn:KeyDelivery:Certificate: '{file}x' cannot be read (FileNotFoundException)");
        AssertRefused(With(("CertificateKey", key + "x")), $"Turn:KeyDelivery:CertificateKey: '{key}x' cannot be read");
        AssertRefused(
            With(("CertificateKey", other.KeyFile)),
            $"Turn:KeyDelivery:CertificateKey: '{other.KeyFile}' is not the key of the certificate in '{file}'");
        AssertRefused(With(("Certificate", null)), "Turn:KeyDelivery:Certificate: '' cannot be read");
        AssertRefused(With(("Authority", key)), $"Turn:KeyDelivery:Authority: '{key}' has no certificate");
        AssertRefused(With(("Authority", "")), "Turn:KeyDelivery:Authority: '' cannot be read");
        AssertRefused(With(("Interval", "00:00:00.5")), "Turn:KeyDelivery:Interval must be a time from 00:00:01 to 01:00:00");

        Dictionary<string, string?> With(params (string Name, string? Value)[] changes)
        {
            Dictionary<string, string?> settings = new()
            {
                ["Turn:KeyDelivery:Address"] = "https://waf.example.org:8444",
                ["Turn:KeyDelivery:Certificate"] = file,
                ["Turn:KeyDelivery:CertificateKey"] = key,
                ["Turn:KeyDelivery:Authority"] = file,
            };
            foreach (var (name, value) in changes) settings[$"Turn:KeyDelivery:{name}"] = value;
            return settings;
        }

        static void AssertRefused(Dictionary<string, string?> settings, string sentence)
        {
            var message = Assert.Throws<SettingsException>(() => Read(settings)).Message;
            Assert.Contains(sentence, message, StringComparison.Ordinal);
            Assert.DoesNotContain("BEGIN", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("Turn:Port", "abc")]
    [InlineData("Turn:PeerPolicy", "AllowEverything")]
    [InlineData("Turn:Transport", "Dpdk")]
    [InlineData("Turn:OnCacheUnavailable", "Maybe")]
    [Requirement("ABUSE-84")]
    public void ValueOfTheWrongKind_IsNamed(string setting, string value)
    {
        var error = Assert.Throws<SettingsException>(() => Read(new Dictionary<string, string?>(Good) { [setting] = value }));

        Assert.Contains(setting, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Turn:Prot", "Turn:Prot is not a setting; did you mean Turn:Port?")]
    [InlineData("Turn:Quotas:PerTokn", "Turn:Quotas:PerTokn is not a setting; did you mean Turn:Quotas:PerToken?")]
    [InlineData("Turn:SharedSecrt", "Turn:SharedSecrt is not a setting; did you mean Turn:SharedSecret?")]
    [InlineData("Turn:StaticUsers:0:Pasword", "Turn:StaticUsers:0:Pasword is not a setting; did you mean Turn:StaticUsers:0:Password?")]
    [InlineData("Turn:Keys:1:Kye", "Turn:Keys:1:Kye is not a setting; did you mean Turn:Keys:1:Key?")]
    [InlineData("Turn:Keys:1", "Turn:Keys:1 must be a group of settings, such as Turn:Keys:1:Kid")]
    [InlineData("Turn:Keys:1:NotAfter", "Turn:Keys:1:NotAfter must be")]
    [Requirement("ABUSE-84")]
    public void UnknownName_IsReportedWithTheNearest_AndOtherProblems_WithoutSecrets(string setting, string message)
    {
        const string Secret = "a secret";
        var value = setting.EndsWith("NotAfter", StringComparison.Ordinal) ? "tomorrow" : Secret;
        var error = Assert.Throws<SettingsException>(() => Read(new(Good)
        {
            [setting] = value,
            ["Turn:Port"] = "abc",
            ["Turn:TlsPort"] = "0",
            ["Turn:SharedSecret"] = Secret,
            ["Turn:StaticUsers:0:Password"] = Secret,
            ["Turn:Keys:2:Key"] = Secret,
        }));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:Port must be a whole number, not 'abc'", error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:TlsPort must be from 1 to 65535", error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:SharedSecret must have 16 characters or more", error.Message, StringComparison.Ordinal);
        Assert.Contains("Turn:StaticUsers:0:Name is missing", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"Kid":"k2","Key":"a secret"}]""", "Turn:KeysFile:0:Key must be base64")]
    [InlineData("""[{"Kid":"k2","Kye":"a secret"}]""", "Turn:KeysFile:0:Kye is not a setting; did you mean Turn:KeysFile:0:Key?")]
    [InlineData("""{"Kid":"k2","Key":"a secret"}""", "Turn:KeysFile:Kid is not an entry of a list, such as Turn:KeysFile:0")]
    [InlineData("""["a secret"]""", "Turn:KeysFile:0 must be a group of settings")]
    [InlineData("\"a secret\"", "Turn:KeysFile must be a list")]
    [InlineData("[\n{\"Key\":a secret}]", "Turn:KeysFile: line 2 is not part of a list")]
    [Requirement("ABUSE-84")]
    public async Task KeysFile_IsReadLikeTheKeys_WithoutSecrets(string content, string message)
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, content, TestContext.Current.CancellationToken);
            var error = Assert.Throws<SettingsException>(() => Read(new(Good) { ["Turn:KeysFile"] = path }));

            Assert.Contains(message, error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void WithoutAnyCredential_TheServerDoesNotStart() =>
        Assert.Contains("Turn:Keys is empty", Assert.Throws<SettingsException>(() => Read([])).Message, StringComparison.Ordinal);

    private static TurnSettings Read(Dictionary<string, string?> settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings).Build().ReadTurnSettings();
}
