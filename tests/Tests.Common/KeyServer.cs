using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using WebRtcIms.Contracts;

namespace WebRtcIms.Tests.Common;

/// <summary>The https endpoint of a WAF at which services fetch their keys. The test decides about the responses.</summary>
public sealed class KeyServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Target, string? Thumbprint)> _requests = new();
    private readonly int _port = FreePorts.Tcp();
    private WebApplication? _app;

    /// <summary>The certificate of the server.</summary>
    public TestCertificate Certificate { get; } = new(isEcdsa: true);

    /// <summary>The certificate of the service.</summary>
    public TestCertificate ClientCertificate { get; } = new(isEcdsa: true);

    /// <summary>The keys of the default response. The first is the current one.</summary>
    public IReadOnlyList<LongTermKey> Keys { get; set; } = [];

    /// <summary>Another response than the keys.</summary>
    public Func<HttpContext, Task>? Respond { get; set; }

    /// <summary>Path and query of each request, and the SHA-256 of the client's certificate.</summary>
    public IReadOnlyCollection<(string Target, string? Thumbprint)> Requests => _requests;

    public string Address => $"https://localhost:{_port}";

    /// <summary>Settings of a service that fetches its keys here, as environment variables.</summary>
    public (string Name, string Value)[] SettingsOf(string section) =>
    [
        ($"{section}__KeyDelivery__Address", Address),
        ($"{section}__KeyDelivery__Certificate", ClientCertificate.CertificateFile),
        ($"{section}__KeyDelivery__CertificateKey", ClientCertificate.KeyFile),
        ($"{section}__KeyDelivery__Authority", Certificate.CertificateFile),
    ];

    public static async Task<KeyServer> StartAsync(params LongTermKey[] keys)
    {
        var server = new KeyServer { Keys = keys };
        await server.StartAsync();
        return server;
    }

    /// <summary>Starts at the same port, with the certificate that <see cref="Certificate"/> has now.</summary>
    public async Task StartAsync()
    {
        var builder = WebApplication.CreateBuilder(["--hostBuilder:reloadConfigOnChange=false"]);
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(_port, listener => listener.UseHttps(https =>
        {
            https.ServerCertificate = X509Certificate2.CreateFromPemFile(Certificate.CertificateFile, Certificate.KeyFile);
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.AllowAnyClientCertificate();
        })));
        _app = builder.Build();
        _app.Run(HandleAsync);
        await _app.StartAsync();
    }

    public async Task StopAsync()
    {
        if (_app is null) return;
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Certificate.Dispose();
        ClientCertificate.Dispose();
    }

    /// <summary>The body of the default response.</summary>
    public string Body() => new LongTermKeys(Keys[0].K, Keys[0].Exp, Keys[0].Kid, Keys[0].Enc, Keys).ToJson();

    private Task HandleAsync(HttpContext context)
    {
        var thumbprint = context.Connection.ClientCertificate?.GetCertHashString(HashAlgorithmName.SHA256);
        _requests.Enqueue(($"{context.Request.Path}{context.Request.QueryString}", thumbprint));
        if (Respond is not null) return Respond(context);
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(Body());
    }
}
