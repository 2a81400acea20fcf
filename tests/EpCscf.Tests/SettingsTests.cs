using Microsoft.Extensions.Configuration;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class SettingsTests
{
    private const string ShortKey = "c2hvcnQga2V5";

    [Fact]
    [Requirement("ABUSE-84")]
    public void EveryMistake_IsInOneMessageWithItsKey()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            ("EpCscf:HomeDomain", "no domain"), ("EpCscf:Waf", ""), ("EpCscf:AuthorizationServer", "http://waf.example"),
            ("EpCscf:TokenKeys:0:Kid", "r1"), ("EpCscf:TokenKeys:0:Key", ShortKey), ("EpCscf:TokenKeys:1:Kid", "r1"),
            ("EpCscf:TokenKeys:1:Key", "not base64"),
            ("EpCscf:FlowTokenKey", ShortKey), ("EpCscf:Subscribers:0:Impus:0", "alice"), ("EpCscf:Pools:0:Name", "guest-"),
            ("EpCscf:Pools:0:Size", "0"),
            ("EpCscf:Limits:Connections", "0"), ("EpCscf:Limits:UnregisteredPerAddress", "0"), ("EpCscf:Limits:Unregistered", "0"),
            ("EpCscf:Limits:RegisteredPerAddress", "0"), ("EpCscf:KnownProxies:0", "gateway"),
            ("EpCscf:AllowedOrigins:0", "phone.example.com")));

        foreach (var key in (string[])
        [
            "EpCscf:HomeDomain", "EpCscf:Waf", "EpCscf:AuthorizationServer", "EpCscf:TokenKeys:0:Key", "EpCscf:TokenKeys:1:Key",
            "EpCscf:TokenKeys has",
            "EpCscf:FlowTokenKey", "EpCscf:Subscribers:0:Impi", "EpCscf:Subscribers:0:Impus", "EpCscf:Subscribers:0:AllowedWafs",
            "EpCscf:Subscribers:0:AllowedWwsfs", "EpCscf:Pools:0:Name", "EpCscf:Pools:0:Size", "EpCscf:Pools:0:AllowedWafs",
            "EpCscf:Pools:0:AllowedWwsfs",
            "EpCscf:Limits:Connections", "EpCscf:Limits:UnregisteredPerAddress", "EpCscf:Limits:Unregistered",
            "EpCscf:Limits:RegisteredPerAddress", "EpCscf:KnownProxies", "EpCscf:AllowedOrigins:0",
        ])
        {
            Assert.Single(error.Message.Split('\n'), line => line.StartsWith($"  {key} ", StringComparison.Ordinal));
        }
        Assert.DoesNotContain(ShortKey, error.Message);
    }

    [Fact]
    public void NoSettings_AreWhatIsMissing()
    {
        var error = Assert.Throws<SettingsException>(() => Read());
        Assert.Contains("EpCscf:TokenKeys is empty", error.Message);
        Assert.Contains("(or EpCscf:KeyDelivery)", error.Message);
        Assert.Contains("EpCscf:Subscribers and EpCscf:Pools are empty", error.Message);
        Assert.Contains(
            "EpCscf:Limits:Connections", Assert.Throws<SettingsException>(() => Read(("EpCscf:Limits:Connections", "many"))).Message);
    }

    [Fact]
    public void KeyDelivery_NeedsNoTokenKeys_AndItsProblemsAreNamed()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            ("EpCscf:KeyDelivery:Address", "http://waf.example.org"), ("EpCscf:KeyDelivery:Certificate", "missing.pem"),
            ("EpCscf:KeyDelivery:Interval", "00:00:00.5")));

        foreach (var problem in (string[])["Address must be an https address", "Certificate: 'missing.pem' cannot be read",
            "Interval must be a time from"])
            Assert.Contains($"EpCscf:KeyDelivery:{problem}", error.Message);
        Assert.DoesNotContain("EpCscf:TokenKeys", error.Message);
    }

    [Fact]
    public void Redis_NeedsAFlowTokenKeyThatAllReplicasShare() => Assert.Contains(
        "EpCscf:FlowTokenKey", Assert.Throws<SettingsException>(() => Read(("ConnectionStrings:redis", "127.0.0.1:6379"))).Message);

    [Fact]
    public void IdentityThatIsThereTwice_IsNamed()
    {
        var settings = new EpCscfSettings();
        settings.Subscribers.Add(new() { Impi = "guest-2@webrtcims.local", Impus = ["sip:guest-2@webrtcims.local"] });
        settings.Pools.Add(new() { Name = "guest", Size = 3 });
        Assert.Contains("'guest-2@webrtcims.local'", Assert.Throws<SettingsException>(() => new CoreModel(settings)).Message);
    }

    [Fact]
    public void NameThatIsNotASetting_IsAProblem() => Assert.Contains(
        "did you mean EpCscf:HomeDomain?", Assert.Throws<SettingsException>(() => Read(("EpCscf:HomeDomian", "ims.example"))).Message);

    [Theory]
    [InlineData("Connections")]
    [InlineData("MessagesPerSecond")]
    [InlineData("CallsPerMinute")]
    [InlineData("DialogRequestsPerMinute")]
    [InlineData("TransactionsPerSubscriber")]
    [InlineData("DirectoryRequestsPerMinute")]
    [InlineData("Transactions")]
    public void LimitBelowOne_IsNamed(string limit) => Assert.Contains(
        $"EpCscf:Limits:{limit} must be 1 or more", Assert.Throws<SettingsException>(() => Read(($"EpCscf:Limits:{limit}", "0"))).Message);

    [Fact]
    public void FlowTokenKey_NamesBindings()
    {
        static BindingNames Names(byte key) => new(new() { FlowTokenKey = Convert.ToBase64String([.. Enumerable.Repeat(key, 32)]) });
        static BindingId Id(BindingNames names) => names.Binding("alice@ims.example", "sip:a@x.invalid", "<urn:uuid:1>", "1");

        Assert.Equal(Id(Names(1)), Id(Names(1)));
        Assert.NotEqual(Id(Names(1)).Subscriber, Id(Names(2)).Subscriber);
        Assert.NotEqual(Id(Names(1)).Device, Id(Names(2)).Device);
        Assert.NotEqual(Names(1).Sign([1]), Names(2).Sign([1]));
        Assert.NotEqual(Names(1).Session("s"), Names(2).Session("s"));
        Assert.NotEqual(Id(new(new())), Id(new(new())));
    }

    [Fact]
    [Requirement("SEC-14")]
    public void KeyOfTheWwsf_IsRequiredOutsideDevelopment_AndLong()
    {
        Assert.Contains("EpCscf:SessionsKeys:0 is missing", Assert.Throws<SettingsException>(() => Read()).Message);
        Assert.DoesNotContain("SessionsKeys", Assert.Throws<SettingsException>(() => Read(isDevelopment: true)).Message);
        var error = Assert.Throws<SettingsException>(() => Read(
            ("EpCscf:SessionsKeys:0", new string('k', 32)), ("EpCscf:SessionsKeys:1", new string('k', 31)),
            ("EpCscf:SessionsKeys:2", "hidden words of more than 32 octets")));
        Assert.DoesNotContain("EpCscf:SessionsKeys:0", error.Message);
        Assert.Contains("EpCscf:SessionsKeys:1 must have 32 octets or more", error.Message);
        Assert.Contains("EpCscf:SessionsKeys:2 must have 32 octets or more", error.Message);
        Assert.DoesNotContain("hidden", error.Message);
        Assert.DoesNotContain("kkk", error.Message);
    }

    private static EpCscfSettings Read(params (string Key, string Value)[] settings) => Read(isDevelopment: false, settings);

    private static EpCscfSettings Read(bool isDevelopment, params (string Key, string Value)[] settings) => EpCscfSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)))
            .Build(), isDevelopment);
}
