using System.Reflection;
using Microsoft.Extensions.Configuration.UserSecrets;
using QRCoder;

namespace WebRtcIms.AppHost;

/// <summary>
/// The gateway at the public address: https besides its http on loopback, as pages elsewhere than there get a microphone over https
/// alone.
/// </summary>
internal sealed class PublicGateway(PublicAddress address, int port)
{
    private readonly Lazy<DevelopmentCertificate> _certificate =
        new(() => DevelopmentCertificate.For(address.Host, SecretsFolder(), TimeProvider.System));

    /// <summary>Has the gateway listen there. It is told the address itself: an https endpoint of the model would get the machine's own certificate.</summary>
    public void Open(IResourceBuilder<ProjectResource> gateway) => gateway
        .WithEndpoint(port: port, scheme: "tcp", name: "public", isProxied: false, isExternal: true)
        .WithEndpoint("public", endpoint => endpoint.TargetHost = address.Ip)
        .WithEnvironment("WicWeb__PublicUrl", $"https://{address.Ip}:{port}")
        .WithEnvironment(context => context.EnvironmentVariables["WicWeb__PublicCertificate"] = _certificate.Value.Path);

    /// <summary>Says where, for eyes and for cameras, once somebody would be answered there.</summary>
    public async Task InviteAsync(DistributedApplication application, string gateway)
    {
        await application.ResourceNotifications.WaitForResourceHealthyAsync(gateway, CancellationToken.None);
        var url = $"https://{address.Host}:{port}";
        Console.WriteLine($"""
            On a phone in the room: {url}
            {Code(url)}
            Its certificate is self-made, so browsers warn of it. SHA-256 fingerprint: {_certificate.Value.Fingerprint}
            """);
    }

    // Light on dark in half blocks. A terminal is told so, as its own colours may be the other way round.
    private static string Code(string url)
    {
        using var data = QRCodeGenerator.GenerateQrCode(url, QRCodeGenerator.ECCLevel.M);
        using var code = new AsciiQRCode(data);
        var lines = code.GetGraphicSmall();
        if (Console.IsOutputRedirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 }) return lines;
        return string.Join('\n', lines.Split('\n').Select(line => $"\e[97;40m{line}\e[0m"));
    }

    // Beside the generated parameters.
    private static string SecretsFolder()
    {
        var secrets = typeof(PublicGateway).Assembly.GetCustomAttribute<UserSecretsIdAttribute>()!.UserSecretsId;
        return Path.GetDirectoryName(PathHelper.GetSecretsPathFromSecretsId(secrets))!;
    }
}
