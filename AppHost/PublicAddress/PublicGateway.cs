using System.Reflection;
using Microsoft.Extensions.Configuration.UserSecrets;
using QRCoder;

namespace WebRtcIms.AppHost;

/// <summary>
/// The gateway at the public address, over https: browsers give a microphone to pages from elsewhere only over https. On loopback the
/// gateway listens over http also.
/// </summary>
internal sealed class PublicGateway(PublicAddress address, int port)
{
    private readonly Lazy<DevelopmentCertificate> _certificate =
        new(() => DevelopmentCertificate.For(address.Host, SecretsFolder(), TimeProvider.System));

    /// <summary>The origin of the page there.</summary>
    public string Url => string.Create(CultureInfo.InvariantCulture, $"https://{address.Host}:{port}");

    /// <summary>
    /// Lets the gateway listen there. It is told the address itself: an https endpoint of the model would get the machine's development
    /// certificate.
    /// </summary>
    public void Open(IResourceBuilder<ProjectResource> gateway) => gateway
        .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: "public", isProxied: false, isExternal: true)
        .WithEndpoint("public", endpoint => endpoint.TargetHost = address.Ip)
        .WithUrlForEndpoint("public", url => (url.Url, url.DisplayText) = (Url, "On a phone in the room"))
        .WithEnvironment("AllowedHosts", $"{PublicAddress.HostsOfARun};{address.Host}")
        .WithEnvironment("WicWeb__PublicUrl", string.Create(CultureInfo.InvariantCulture, $"https://{address.Ip}:{port}"))
        .WithEnvironment(context => context.EnvironmentVariables["WicWeb__PublicCertificate"] = _certificate.Value.Path)
        .OnResourceReady((_, _, _) => InviteAsync());

    /// <summary>Prints the address for people and as a QR code for cameras.</summary>
    private Task InviteAsync() => Console.Out.WriteLineAsync($"""
        On a phone in the room: {Url}
        {Code(Url)}
        Its certificate is self-made, so browsers warn of it. SHA-256 fingerprint:
        {InPairs(_certificate.Value.Fingerprint)}
        Compare it with the certificate that the phone shows, then go on.
        """);

    // As phones show it, on two lines.
    private static string InPairs(string fingerprint) =>
        string.Join(
            Environment.NewLine,
            fingerprint.Chunk(32).Select(line => string.Join(' ', line.Chunk(2).Select(pair => new string(pair)))));

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
