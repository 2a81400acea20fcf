using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>Which port serves what, and to whom.</summary>
public sealed class AdminPortTests
{
    private static readonly string[] AdminPaths =
        ["/admin/clients", "/ADMIN/clients", "/%61dmin/clients", "/x/../admin/clients", "//admin/clients", "/admin", "/admin/audit"];

    private static readonly string[] PublicPaths =
        ["/oauth2/token", "/oauth2/register", "/.well-known/oauth-authorization-server", "/health", "/alive", "/", "/openapi/public.json"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PublicPort_HasNoAdministration_WhateverTheHeadersSay()
    {
        using var admin = new Administration(new WafApp());
        string[] headers =
        [
            $"Host: 127.0.0.1:{admin.Port}", $"Host: localhost:{admin.Port}", $"Host: {admin.App.Address.Authority}",
            $"Host: waf\r\nX-Forwarded-Port: {admin.Port}\r\nX-Forwarded-Host: 127.0.0.1:{admin.Port}",
            $"Host: waf\r\nForwarded: host=\"127.0.0.1:{admin.Port}\"",
        ];

        foreach (var path in AdminPaths)
        {
            foreach (var header in headers)
                Assert.Equal((path, header, 404), (path, header, await StatusAsync(admin.App.Address.Port, path, header)));
        }

        // The absolute form of a request names another authority than the connection has.
        Assert.Equal(404, await StatusAsync(
            admin.App.Address.Port, $"http://127.0.0.1:{admin.Port}/admin/clients", $"Host: 127.0.0.1:{admin.Port}"));
        Assert.Equal(200, await StatusAsync(admin.App.Address.Port, "/alive", "Host: waf"));
    }

    [Fact]
    public async Task AdminPort_HasNothingElse()
    {
        using var admin = new Administration(new WafApp());
        foreach (var path in PublicPaths)
        {
            foreach (var header in (string[])[$"Host: {admin.App.Address.Authority}", $"Host: 127.0.0.1:{admin.Port}"])
                Assert.Equal((path, 404), (path, await StatusAsync(admin.Port, path, header)));
        }

        Assert.Equal(200, await StatusAsync(admin.Port, "/admin/clients", $"Host: 127.0.0.1:{admin.Port}"));
    }

    [Fact]
    public async Task WithoutAUrl_ThereIsNoAdministration()
    {
        using var app = new WafApp { RemoteAddress = null }.Listen();
        foreach (var path in AdminPaths) Assert.Equal((path, 404), (path, await StatusAsync(app.Address.Port, path, "Host: localhost")));
    }

    [Fact]
    public async Task OtherMachines_GetNothing()
    {
        using var admin = new Administration(new WafApp());
        admin.App.RemoteAddress = IPAddress.Parse("192.0.2.1");

        (await admin.GetAsync("clients")).Assert(HttpStatusCode.NotFound);
    }

    /// <summary>A page in a browser of this machine reaches loopback ports, under a rebound name or from its own origin.</summary>
    [Fact]
    public async Task Pages_AreRefused()
    {
        using var admin = new Administration(new WafApp());

        Assert.Equal(403, await StatusAsync(admin.Port, "/admin/clients", "Host: rebound.example.org"));
        Assert.Equal(403, await StatusAsync(admin.Port, "/admin/clients", "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1"));
        Assert.Equal(403, await StatusAsync(admin.Port, "/admin/clients", "Host: 127.0.0.1\r\nSec-Fetch-Site: same-site"));
        Assert.Equal(200, await StatusAsync(admin.Port, "/admin/clients", "Host: 127.0.0.1\r\nSec-Fetch-Site: none"));
        Assert.Equal(200, await StatusAsync(admin.Port, "/admin/clients", "Host: localhost"));
        Assert.Equal(200, await StatusAsync(admin.Port, "/admin/clients", $"Host: [::1]:{admin.Port}"));
        using var form = new StringContent("{\"all\":true}", Encoding.UTF8, "text/plain");
        (await admin.SendAsync(HttpMethod.Post, "revocations", form)).Assert(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task OperatorsWithTokens_MayBeElsewhere_AndTheAuditNamesThem()
    {
        using var admin = new Administration(WithOperators(), Administration.OperatorToken);
        admin.App.RemoteAddress = IPAddress.Parse("192.0.2.1");
        (await admin.PostAsync("initial-access-tokens", new { name = "new" })).Assert(HttpStatusCode.Created);

        Assert.Equal([("operator:anna", "new")], await admin.AuditAsync("initial_access_token.created"));
        Assert.DoesNotContain(Administration.OperatorToken, admin.App.Logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a guess of an operator's token, of a right length")]
    [InlineData("another operator's token of 40 character")]
    public async Task OtherTokens_AreRefused_AlsoFromThisMachine(string token)
    {
        using var admin = new Administration(WithOperators(), token);

        (await admin.GetAsync("clients")).Assert(HttpStatusCode.Unauthorized);
        (await admin.PostAsync("initial-access-tokens", new { name = "new" })).Assert(HttpStatusCode.Unauthorized);
        (await admin.GetAsync("nothing")).Assert(HttpStatusCode.Unauthorized);
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task GuessedTokens_Are429_UntilTheMinuteIsOver()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var admin = new Administration(WithOperators(time), "a guess");
        for (var guess = 0; guess < 10; guess++) (await admin.GetAsync("clients")).Assert(HttpStatusCode.Unauthorized);
        (await admin.GetAsync("clients")).Assert(HttpStatusCode.TooManyRequests);

        time.Advance(TimeSpan.FromMinutes(1));
        (await admin.GetAsync("clients")).Assert(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("localhost:8085", "Waf:Admin:Url must be an address with a port")]
    [InlineData("http://localhost:0", "Waf:Admin:Url must be an address with a port")]
    [InlineData("http://localhost:8085/admin", "Waf:Admin:Url must be an address with a port")]
    [InlineData("http://localhost:8085;http://localhost:8086", "Waf:Admin:Url must be an address with a port")]
    [InlineData("http://127.0.0.1:8081", "Waf:Admin:Url has the port 8081 of the public addresses")]
    [InlineData("http://0.0.0.0:8085", "Waf:Admin:Url listens for other machines")]
    [InlineData("http://*:8085", "Waf:Admin:Url listens for other machines")]
    [InlineData("https://waf.example.org:8085", "Waf:Admin:Url listens for other machines")]
    public void WrongUrl_StopsTheStart(string url, string expected)
    {
        var error = Assert.Throws<SettingsException>(() => Read(("urls", "http://0.0.0.0:8081"), ("Waf:Admin:Url", url)));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WrongOperators_StopTheStart()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            ("Waf:Admin:Operators:0:Name", "anna"), ("Waf:Admin:Operators:0:Token", Administration.OperatorToken),
            ("Waf:Admin:Operators:1:Name", "anna"), ("Waf:Admin:Operators:1:Token", "short"),
            ("Waf:Admin:Operators:2:Token", Administration.OperatorToken), ("Waf:AuditRetention", "-00:00:01")));

        Assert.Contains("Waf:Admin:Operators has the Name 'anna' twice", error.Message, StringComparison.Ordinal);
        Assert.Contains("Waf:Admin:Operators:1:Token must have 32 characters", error.Message, StringComparison.Ordinal);
        Assert.Contains("Waf:Admin:Operators:2:Name must have 1 to 100 characters", error.Message, StringComparison.Ordinal);
        Assert.Contains("Waf:AuditRetention must be a time", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Administration.OperatorToken, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("urls", "http://127.0.0.1:{0}")]
    [InlineData("http_ports", "{0}")]
    public async Task PublicAddresses_StayWithAdministration(string setting, string value)
    {
        var (publicPort, port) = (FreePorts.Tcp(), FreePorts.Tcp());
        using var app = new WafApp { RemoteAddress = null }
            .With(setting, string.Format(System.Globalization.CultureInfo.InvariantCulture, value, publicPort))
            .With("Waf:Admin:Url", $"http://127.0.0.1:{port}");
        app.UseKestrel();
        app.StartServer();

        Assert.Equal(200, await StatusAsync(publicPort, "/alive", "Host: localhost"));
        Assert.Equal(200, await StatusAsync(port, "/admin/clients", "Host: localhost"));
    }

    [Fact]
    public void KestrelEndpoints_WouldReplaceTheUrl()
    {
        var error = Assert.Throws<SettingsException>(() =>
            Read(("Waf:Admin:Url", "http://localhost:8085"), ("Kestrel:Endpoints:Http:Url", "http://localhost:8081")));

        Assert.Contains("Waf:Admin:Url cannot be used with Kestrel:Endpoints", error.Message, StringComparison.Ordinal);
    }

    private static WafApp WithOperators(FakeTimeProvider? time = null) => new WafApp { Time = time }
        .With("Waf:Admin:Operators:0:Name", "anna").With("Waf:Admin:Operators:0:Token", Administration.OperatorToken);

    private static void Read(params (string Key, string Value)[] settings) => WafSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(
            WafApp.GoodSettings().Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))
                .Concat(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))).Build(),
        new HostingEnvironment { ContentRootPath = Path.GetTempPath() });

    // HttpClient would normalise the path and choose the Host.
    private static async Task<int> StatusAsync(int port, string path, string headers)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Cancel);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n"), Cancel);
        using var reader = new StreamReader(stream);
        var line = await reader.ReadLineAsync(Cancel);
        return int.Parse(line!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
