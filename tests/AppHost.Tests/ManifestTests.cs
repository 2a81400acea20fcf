using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>Publishing: <c>dotnet run --project AppHost -- --publisher manifest --output-path …</c>.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-apphost-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Manifest_HasEveryPart_ItsEndpoints_AndItsParameters()
    {
        var resources = await PublishAsync();

        foreach (var service in new[] { "turn", "waf", "ep-cscf", "wwsf", "flow-view", "wic-web" })
            Assert.Equal("project.v0", Type(resources, service));
        Assert.Equal("container.v0", Type(resources, "redis"));
        Assert.Equal("container.v0", Type(resources, "postgres"));
        foreach (var protocol in new[] { "udp", "tcp" })
        {
            var binding = resources.GetProperty("turn").GetProperty("bindings").GetProperty(protocol);
            Assert.Equal(protocol, binding.GetProperty("protocol").GetString());
            Assert.Equal(3478, binding.GetProperty("targetPort").GetInt32());
            Assert.True(binding.GetProperty("external").GetBoolean());
        }

        foreach (var parameter in new[] { "turn-key-id", "turn-server-name", "turn-realm", "public-address", "public-origin" })
            Assert.Equal("parameter.v0", Type(resources, parameter));
    }

    [Theory]
    [InlineData("turn-key", 44)]
    [InlineData("ims-registration-key", 44)]
    [InlineData("epcscf-flow-token-key", 44)]
    [InlineData("wwsf-initial-access-token", 43)]
    public async Task GeneratedValue_IsDescribed_AndNotWritten(string parameter, int minLength)
    {
        var value = (await PublishAsync()).GetProperty(parameter).GetProperty("inputs").GetProperty("value");

        Assert.True(value.GetProperty("secret").GetBoolean());
        Assert.Equal(minLength, value.GetProperty("default").GetProperty("generate").GetProperty("minLength").GetInt32());
    }

    [Fact]
    public async Task Services_ReferToParameters_AndToNothingOfThisMachine()
    {
        var resources = await PublishAsync();

        var turn = resources.GetProperty("turn").GetProperty("env");
        var wwsf = resources.GetProperty("wwsf").GetProperty("env");
        Assert.Equal("{turn-key.value}", turn.GetProperty("Turn__Keys__0__Key").GetString());
        Assert.Equal("{turn-key.value}",
            resources.GetProperty("waf").GetProperty("env").GetProperty("Waf__TurnServers__0__Key").GetString());
        Assert.Equal("{wwsf-initial-access-token.value}", wwsf.GetProperty("Wwsf__Waf__InitialAccessToken").GetString());
        var waf = resources.GetProperty("waf").GetProperty("env");
        Assert.Equal("{wwsf-initial-access-token.value}", waf.GetProperty("Waf__InitialAccessTokens__0__Token").GetString());
        Assert.Equal("{waf.bindings.http.url}", waf.GetProperty("Waf__Issuer").GetString());
        // The token is for the first start: one use, and the lifetime that the WAF gives by default.
        Assert.False(waf.TryGetProperty("Waf__InitialAccessTokens__0__Uses", out _));
        Assert.False(waf.TryGetProperty("Waf__InitialAccessTokens__0__Lifetime", out _));
        Assert.Equal("{public-origin.value}", wwsf.GetProperty("Wwsf__PublicOrigin__0").GetString());
        Assert.False(wwsf.TryGetProperty("DOTNET_ENVIRONMENT", out _));
        Assert.Equal("turn:{public-address.value}:3478?transport=udp", wwsf.GetProperty("Wwsf__TurnUris__0").GetString());
        Assert.Equal("{wwsf-store.connectionString}", wwsf.GetProperty("ConnectionStrings__wwsf").GetString());
        Assert.False(turn.TryGetProperty("Turn__KeyDelivery__Address", out _));
        var epCscf = resources.GetProperty("ep-cscf").GetProperty("env");
        Assert.Equal("{ims-registration-key.value}", epCscf.GetProperty("EpCscf__TokenKeys__0__Key").GetString());
        Assert.Equal("{ims-registration-key.value}", waf.GetProperty("Waf__ImsRegistration__Key").GetString());
        Assert.Equal(
            waf.GetProperty("Waf__ImsRegistration__Kid").GetString(), epCscf.GetProperty("EpCscf__TokenKeys__0__Kid").GetString());
        Assert.False(epCscf.TryGetProperty("EpCscf__KeyDelivery__Address", out _));
        Assert.DoesNotContain("localhost", resources.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", resources.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("SEC-21")]
    public async Task EveryService_KnowsItsHosts()
    {
        var resources = await PublishAsync();

        Assert.Equal("{public-origin.value}", HostsOf("wic-web"));
        foreach (var service in new[] { "turn", "waf", "ep-cscf", "wwsf", "flow-view" })
            Assert.Equal($"{{{service}.bindings.http.host}}", HostsOf(service));

        string? HostsOf(string service) => resources.GetProperty(service).GetProperty("env").GetProperty("AllowedHosts").GetString();
    }

    private async Task<JsonElement> PublishAsync()
    {
        var path = Path.Combine(_folder.FullName, "manifest.json");
        await using var host =
            HostProcess.Start(typeof(Projects.AppHost).Assembly, _folder, "--publisher", "manifest", "--output-path", path);

        Assert.Equal(0, await host.WaitForExitAsync());
        Assert.DoesNotContain("Exception", host.Output, StringComparison.Ordinal);
        return JsonElement.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken)).GetProperty("resources");
    }

    private static string? Type(JsonElement resources, string name) => resources.GetProperty(name).GetProperty("type").GetString();
}
