using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>No service starts outside Development with the address of another machine that has no TLS.</summary>
public sealed class TransportEncryptionTests
{
    public static TheoryData<string, string> PlainAddresses => new()
    {
        { "services:waf:http:0", "http://waf.internal.example:8081" },
        { "services:waf:http:1", "http://10.1.2.3:8081" },
        { "services:waf:http:0", "waf.internal.example:8081" },
        { "services:waf:http:0", "http://[2001:db8::1]:8081" },
        { "services:waf:0", "http://waf" },
        { "services:wwsf:default:0", "HTTP://wwsf:8082" },
        { "services:ep-cscf:http:0", "http://localhost.example" },
        { "services:flow-view:http:0", "http://127.0.0.1.example:8083" },
        { "ConnectionStrings:redis", "redis.example:6379" },
        { "ConnectionStrings:redis", "10.1.2.3:6379,password=x" },
        { "ConnectionStrings:redis", "127.0.0.1:6379,redis.example:6379" },
        { "ConnectionStrings:redis", "redis.example:6379,ssl=false" },
        { "ConnectionStrings:redis", "redis://:password@redis.example:6379" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317" },
        { "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://10.1.2.3:4318/v1/logs" },
    };

    [Theory]
    [MemberData(nameof(PlainAddresses))]
    [Requirement("SEC-19")]
    public void PlainAddressOfAnotherMachine_StopsTheStart_AndTheMessageNamesTheSetting(string setting, string value)
    {
        var error = Assert.Throws<SettingsException>(() => Start(Environments.Production, (setting, value)));

        Assert.Contains($"\n  {setting} names another machine without TLS", error.Message);
        Assert.Contains("or set Transport:Encryption=Mesh", error.Message);
        Assert.DoesNotContain("password", error.Message);
        Assert.Throws<SettingsException>(() => Start(Environments.Staging, (setting, value)));
        Start(Environments.Development, (setting, value));
        Start(Environments.Production, (setting, value), ("Transport:Encryption", "mesh"));
        Assert.Throws<SettingsException>(() => Start(Environments.Production, (setting, value), ("Transport:Encryption", "Services")));
    }

    [Theory]
    [InlineData("services:waf:http:0", "http://127.0.0.1:8081")]
    [InlineData("services:waf:http:0", "http://localhost:8081")]
    [InlineData("services:waf:http:0", "http://[::1]:8081")]
    [InlineData("services:waf:http:0", "localhost:8081")]
    [InlineData("services:waf:https:0", "https://waf.example:8444")]
    [InlineData("services:waf:0", "https://waf.example:8444")]
    [InlineData("ConnectionStrings:redis", "127.0.0.1:6379")]
    [InlineData("ConnectionStrings:redis", "[::1]:6379")]
    [InlineData("ConnectionStrings:redis", "localhost:6379,password=x")]
    [InlineData("ConnectionStrings:redis", "redis.example:6380,ssl=true")]
    [InlineData("ConnectionStrings:redis", "")]
    [InlineData("ConnectionStrings:redis", "rediss://:x@redis.example:6380")]
    [Requirement("SEC-19")]
    public void OtherAddresses_DoNot(string setting, string value) => Start(Environments.Production, (setting, value));

    [Fact]
    [Requirement("SEC-19")]
    public void HttpBesideHttps_IsNotUsed_AndDoesNotStopTheStart() => Start(
        Environments.Production, ("services:waf:http:0", "http://waf:8081"), ("services:waf:https:0", "https://waf:8444"));

    [Fact]
    [Requirement("SEC-19")]
    public void OtherValueOfTheSetting_StopsTheStart_AlsoInDevelopment()
    {
        var error = Assert.Throws<SettingsException>(() => Start(Environments.Development, ("Transport:Encryption", "None")));

        Assert.Contains("Transport:Encryption must be Services or Mesh, not 'None'", error.Message);
    }

    private static void Start(string environment, params (string Name, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        builder.Configuration.AddInMemoryCollection(settings.Select(each => KeyValuePair.Create(each.Name, (string?)each.Value)));
        builder.AddServiceDefaults();
    }
}
