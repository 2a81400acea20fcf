using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The gateway on a real Kestrel with a free port, in front of the given WWSF and eP-CSCF.</summary>
internal sealed class GatewayFactory : WebApplicationFactory<Program>
{
    private readonly string _wwsf;
    private readonly string? _webRoot;
    private readonly string? _epCscf;

    public GatewayFactory(string wwsf, string? webRoot = null, string? epCscf = null, TestCertificate? certificate = null)
    {
        _wwsf = wwsf;
        _webRoot = webRoot;
        _epCscf = epCscf;
        if (certificate is null) UseKestrel(0);
        else UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(X509Certificate2.CreateFromPemFile(certificate.CertificateFile, certificate.KeyFile))));
    }

    /// <summary>Where FlowView is; with the WWSF when not given.</summary>
    public string? FlowView { get; init; }

    /// <summary>Besides those of the backends.</summary>
    public Dictionary<string, string> Settings { get; init; } = [];

    /// <summary>The gateway's address; starts it.</summary>
    public Uri Address
    {
        get
        {
            StartServer();
            return ClientOptions.BaseAddress;
        }
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment("Production");
        builder.UseSetting("services:wwsf:http:0", _wwsf);
        if (_epCscf is not null) builder.UseSetting("services:ep-cscf:http:0", _epCscf);
        builder.UseSetting("services:flow-view:http:0", FlowView ?? _wwsf);
        foreach (var (key, value) in Settings) builder.UseSetting(key, value);
        if (_webRoot is not null) builder.UseWebRoot(_webRoot);
        builder.ConfigureServices(services => services.ShareActivitySource());
    }
}
