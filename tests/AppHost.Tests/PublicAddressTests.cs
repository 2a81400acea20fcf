using System.Security.Cryptography.X509Certificates;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>The model with and without <c>public-address</c>, and the certificate that goes with it.</summary>
public sealed class PublicAddressTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-apphost-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task WithoutIt_EverythingIsOnLoopback()
    {
        var endpoints = Endpoints(await ModelAsync());

        Assert.Contains("turn/udp", endpoints.Keys);
        Assert.DoesNotContain("wic-web/public", endpoints.Keys);
        Assert.All(endpoints.Values, endpoint => Assert.True(endpoint.TargetHost is "localhost" or "127.0.0.1", endpoint.TargetHost));
    }

    [Fact]
    public async Task WithIt_TheGatewaysHttpsAndTheRelayAreThere_AndNothingElse()
    {
        var endpoints = Endpoints(await ModelAsync("--Parameters:public-address=127.0.0.2", "--wic-web-port=18443"));

        var there = endpoints.Where(endpoint => endpoint.Value.TargetHost == "127.0.0.2").ToDictionary();
        Assert.Equal(["turn/tcp", "turn/udp", "wic-web/public"], there.Keys.Order());
        Assert.All(there.Values, endpoint => Assert.True(endpoint.IsExternal));
        Assert.Equal(18443, there["wic-web/public"].Port);
        Assert.All(endpoints.Values.Except(there.Values),
            endpoint => Assert.True(endpoint.TargetHost is "localhost" or "127.0.0.1", endpoint.TargetHost));
    }

    [Theory]
    [InlineData("127.0.0.2", "localhost;127.0.0.1;127.0.0.2")]
    [InlineData("", "localhost;127.0.0.1")]
    [Requirement("SEC-21")]
    public async Task Gateway_AnswersForThePublicAddress(string address, string hosts)
    {
        var gateway = (await ModelAsync($"--Parameters:public-address={address}")).Resources.OfType<ProjectResource>()
            .Single(resource => resource.Name == "wic-web");
        var configuration = await ExecutionConfigurationBuilder.Create(gateway).WithEnvironmentVariablesConfig().BuildAsync(
            new DistributedApplicationExecutionContext(DistributedApplicationOperation.Publish), NullLogger.Instance,
            TestContext.Current.CancellationToken);

        Assert.Equal(hosts, configuration.EnvironmentVariables.ToDictionary().GetValueOrDefault("AllowedHosts"));
    }

    [Fact]
    public void Empty_IsNone() => Assert.Null(Read(" "));

    [Fact]
    public void AddressInAnotherForm_IsTheSameAddress() => Assert.Equal(new PublicAddress("127.0.0.2", "127.0.0.2"), Read("127.2"));

    [Theory]
    [InlineData("203.0.113.7")]
    [InlineData("0.0.0.0")]
    [InlineData("::1")]
    [InlineData("localhost")]
    [InlineData("nobody.invalid")]
    [InlineData("../secrets")]
    public void WhatIsNoAddressOfThisMachine_IsRefusedByName(string value)
    {
        var error = Assert.Throws<DistributedApplicationException>(() => Read(value));

        Assert.StartsWith("public-address must be an IPv4 address of this machine (", error.Message, StringComparison.Ordinal);
        Assert.EndsWith($"; it is '{value}'.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongOne_StopsTheStartWithASentence()
    {
        await using var host = HostProcess.Start(typeof(Projects.AppHost).Assembly, _folder, "--Parameters:public-address=203.0.113.7");

        Assert.Equal(1, await host.WaitForExitAsync());
        Assert.Matches(@"^WebRtcIms cannot start\. public-address must be [^\n]* it is '203\.0\.113\.7'\.$", host.Output);
    }

    [Theory]
    [InlineData("127.0.0.2")]
    [InlineData("desk.example")]
    public void Certificate_IsForTheHost_AndOnlyThisUserCanReadIt(string host)
    {
        var made = DevelopmentCertificate.For(host, Path.Combine(_folder.FullName, "secrets"), TimeProvider.System);

        using var certificate = X509CertificateLoader.LoadPkcs12FromFile(made.Path, null);
        Assert.True(certificate.HasPrivateKey);
        Assert.True(certificate.MatchesHostname(host, allowWildcards: false, allowCommonName: false));
        Assert.Equal(made.Fingerprint, certificate.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(made.Path));
    }

    [Fact]
    public void Certificate_IsKept_AndRenewedAMonthBeforeItEnds()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var made = DevelopmentCertificate.For("127.0.0.2", _folder.FullName, clock);

        clock.Advance(TimeSpan.FromDays(334));
        Assert.Equal(made, DevelopmentCertificate.For("127.0.0.2", _folder.FullName, clock));

        clock.Advance(TimeSpan.FromDays(2));
        var renewed = DevelopmentCertificate.For("127.0.0.2", _folder.FullName, clock);
        Assert.NotEqual(made.Fingerprint, renewed.Fingerprint);
        using var certificate = X509CertificateLoader.LoadPkcs12FromFile(renewed.Path, null);
        Assert.True(certificate.NotAfter.ToUniversalTime() > clock.GetUtcNow().UtcDateTime.AddDays(300));
    }

    [Fact]
    public void SpoiledCertificate_IsMadeAnew()
    {
        var made = DevelopmentCertificate.For("127.0.0.2", _folder.FullName, TimeProvider.System);
        File.WriteAllText(made.Path, "spoiled");

        Assert.NotEqual(made.Fingerprint, DevelopmentCertificate.For("127.0.0.2", _folder.FullName, TimeProvider.System).Fingerprint);
    }

    private static PublicAddress? Read(string value) => PublicAddress.Read(
        new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create<string, string?>("Parameters:public-address", value)])
        .Build());

    private Task<IDistributedApplicationTestingBuilder> ModelAsync(params string[] arguments) =>
        DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>([$"--data-directory={_folder.FullName}", .. arguments],
            TestContext.Current.CancellationToken);

    private static Dictionary<string, EndpointAnnotation> Endpoints(IDistributedApplicationTestingBuilder model) =>
        (from resource in model.Resources
         from endpoint in resource.Annotations.OfType<EndpointAnnotation>()
         select (Name: $"{resource.Name}/{endpoint.Name}", endpoint)).ToDictionary(entry => entry.Name, entry => entry.endpoint);
}
