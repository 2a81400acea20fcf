using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Configuration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

public sealed class SettingsReaderTests
{
    [Fact]
    public void GoodValues_AreReadOfEveryKind()
    {
        var settings = Read(
            ("Part:Port", "3479"), ("Part:Name", "x"), ("Part:IsOn", "false"), ("Part:Mode", "fast"), ("Part:Lifetime", "00:00:30"),
            ("Part:Proxies:0", "10.1.0.0/16"), ("Part:Secret", "s3cret"), ("Part:Users:0:Name", "alice"), ("Part:Users:1:Name", "bob"),
            ("Part:Quotas:Total", "7"),
            ("Part:Limit", "2"));

        Assert.Equal((3479, "x", false, Mode.Fast), (settings.Port, settings.Name, settings.IsOn, settings.Mode));
        Assert.Equal(TimeSpan.FromSeconds(30), settings.Lifetime);
        Assert.Equal([IPNetwork.Parse("10.1.0.0/16")], settings.Proxies);
        Assert.Equal("s3cret", settings.Secret?.Reveal());
        Assert.Equal(["alice", "bob"], settings.Users.Select(user => user.Name));
        Assert.Equal((7, 5), (settings.Quotas.Total, settings.Quotas.PerUser));
        Assert.Equal(2, settings.Limit);
    }

    [Fact]
    public void NothingSet_LeavesTheDefaults()
    {
        var settings = Read();

        Assert.Equal(
            (3478, true, Mode.Auto, 10, 5), (settings.Port, settings.IsOn, settings.Mode, settings.Quotas.Total, settings.Quotas.PerUser));
        Assert.Null(settings.Limit);
        Assert.Null(settings.Secret);
    }

    [Fact]
    public void EmptyValue_LeavesTheDefault() => Assert.Equal(3478, Read(("Part:Port", "")).Port);

    [Fact]
    public void SeveralProblems_AreListedInOneMessage()
    {
        var message = Refused(
            ("Part:Port", "many"), ("Part:IsOn", "perhaps"), ("Part:Mode", "slow"), ("Part:Lifetime", "soon"), ("Part:Proxies:0", "here"),
            ("Part:Quotas:Total", "x"), ("Part:Users:0:Age", "7"));

        Assert.Contains("Part:Port must be a whole number, not 'many'", message, StringComparison.Ordinal);
        Assert.Contains("Part:IsOn must be true or false, not 'perhaps'", message, StringComparison.Ordinal);
        Assert.Contains("Part:Mode must be one of Auto, Fast, not 'slow'", message, StringComparison.Ordinal);
        Assert.Contains("Part:Lifetime must be a time such as 00:10:00, not 'soon'", message, StringComparison.Ordinal);
        Assert.Contains("Part:Proxies:0 must be", message, StringComparison.Ordinal);
        Assert.Contains("Part:Quotas:Total must be a whole number, not 'x'", message, StringComparison.Ordinal);
        Assert.Contains("Part:Users:0:Age is not a setting", message, StringComparison.Ordinal);
        Assert.Contains("the whole must fit", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Part:Prot", "Part:Prot is not a setting; did you mean Part:Port?")]
    [InlineData("Part:Quotas:totl", "Part:Quotas:totl is not a setting; did you mean Part:Quotas:Total?")]
    [InlineData("Part:Users:0:Nmae", "Part:Users:0:Nmae is not a setting; did you mean Part:Users:0:Name?")]
    [InlineData("Part:Liftime", "did you mean Part:Lifetime?")]
    [Requirement("EXP-42")]
    public void UnknownName_NamesTheNearestKnownOne(string name, string expected) =>
        Assert.Contains(expected, Refused((name, "1")), StringComparison.Ordinal);

    [Fact]
    public void UnknownName_WithoutANearOne_SuggestsNothing()
    {
        var message = Refused(("Part:Whatever", "hush"));

        Assert.Contains("Part:Whatever is not a setting", message, StringComparison.Ordinal);
        Assert.DoesNotContain("did you mean", message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", message, StringComparison.Ordinal);
    }

    [Fact]
    public void NumberOfAnEnumeration_IsNotAName() =>
        Assert.Contains("Part:Mode must be", Refused(("Part:Mode", "1")), StringComparison.Ordinal);

    [Fact]
    public void ValueOutsideItsRange_IsNamed() =>
        Assert.Contains("Part:Port must be from 1 to 65535", Refused(("Part:Port", "70000")), StringComparison.Ordinal);

    [Fact]
    public void NameInAList_IsNotAnEntry() =>
        Assert.Contains("Part:Users:first is not an entry of a list", Refused(("Part:Users:first", "x")), StringComparison.Ordinal);

    private static Settings Read(params (string, string)[] values) =>
        SettingsReader.Read<Settings>(Configuration(values), "Part");

    private static string Refused(params (string, string)[] values) => Assert.Throws<SettingsException>(() =>
        SettingsReader.Read<Settings>(Configuration(values), "Part", _ => ["the whole must fit"])).Message;

    private static IConfiguration Configuration((string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(value => KeyValuePair.Create(value.Key, (string?)value.Value))).Build();

    private enum Mode
    {
        Auto,
        Fast,
    }

    private sealed class Settings
    {
        [Range(1, 65535, ErrorMessage = "{0} must be from {1} to {2}")]
        public int Port { get; set; } = 3478;

        public string Name { get; set; } = "";

        public bool IsOn { get; set; } = true;

        public Mode Mode { get; set; }

        public TimeSpan Lifetime { get; set; }

        public List<IPNetwork> Proxies { get; set; } = [];

        public Redacted<string>? Secret { get; set; }

        public List<User> Users { get; set; } = [];

        public Quotas Quotas { get; set; } = new();

        public int? Limit { get; set; }

        public string Computed => Name;
    }

    private sealed class User
    {
        public string Name { get; set; } = "";
    }

    private sealed class Quotas
    {
        public int Total { get; set; } = 10;

        public int PerUser { get; set; } = 5;
    }
}
