using System.Diagnostics;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Tests.Common;
using WebRtcIms.WicWeb.Sessions;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The gateway on a real Kestrel with a free port, in front of the given WWSF and eP-CSCF.</summary>
internal sealed class GatewayFactory : ServiceApp<GatewayFactory, Program>
{
    private readonly TestCertificate? _certificate;
    private readonly string _wwsf;
    private bool _isListening;

    public GatewayFactory(string wwsf, string? webRoot = null, string? epCscf = null, TestCertificate? certificate = null)
    {
        (_wwsf, _certificate) = (wwsf, certificate);
        With("services:wwsf:http:0", wwsf);
        if (epCscf is not null) With("services:ep-cscf:http:0", epCscf);
        if (webRoot is not null) With(WebHostDefaults.WebRootKey, webRoot);
    }

    /// <summary>The address of FlowView; that of the WWSF if not given.</summary>
    public string? FlowView { get; init; }

    /// <summary>Further settings.</summary>
    public Dictionary<string, string> Settings { get; init; } = [];

    /// <summary>The gateway's address; starts it.</summary>
    public new Uri Address
    {
        get
        {
            if (!_isListening) Start();
            return base.Address;
        }
    }

    private void Start()
    {
        _isListening = true;
        With("services:flow-view:http:0", FlowView ?? _wwsf);
        foreach (var (name, value) in Settings) With(name, value);
        if (_certificate is null) Listen();
        else Listen(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(Https(_certificate))));
    }

    // The factory has replaced the server that the program surrounds.
    protected override IHost CreateHost(IHostBuilder builder) => base.CreateHost(builder.ConfigureServices(TraceBoundary.SurroundServer));

    // The gateway's own telemetry makes the spans that the tests look for.
    protected override bool ListensTo(ActivitySource source) => false;

    private static X509Certificate2 Https(TestCertificate certificate) =>
        X509Certificate2.CreateFromPemFile(certificate.CertificateFile, certificate.KeyFile);
}
