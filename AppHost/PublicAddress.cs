using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.UserSecrets;
using QRCoder;

namespace WebRtcIms.AppHost;

/// <summary>Where phones and other machines in the room reach this one: the parameter <c>public-address</c>.</summary>
/// <param name="Host">As it was given: an address, or a name for one. The page is opened there, and its certificate is for it.</param>
/// <param name="Ip">The address, on which all that is public listens.</param>
internal sealed record PublicAddress(string Host, string Ip)
{
    /// <summary>Null when there is none: everything stays on loopback then.</summary>
    /// <exception cref="DistributedApplicationException">It is no address of this machine.</exception>
    public static PublicAddress? Read(IConfiguration configuration)
    {
        if (configuration["Parameters:public-address"]?.Trim() is not { Length: > 0 } text) return null;
        if (AddressesOf(text).FirstOrDefault(IsOfThisMachine) is { } ip) return new(IPAddress.TryParse(text, out _) ? $"{ip}" : text, $"{ip}");
        throw new DistributedApplicationException(
            $"public-address must be an IPv4 address of this machine ({string.Join(", ", OwnAddresses())}) or a name for one; it is '{text}'.");
    }

    private static IEnumerable<IPAddress> AddressesOf(string text)
    {
        if (IPAddress.TryParse(text, out var address)) return [address];
        if (Uri.CheckHostName(text) != UriHostNameType.Dns) return [];
        try
        {
            // A machine's own name often leads to loopback, where nobody else gets.
            return Dns.GetHostAddresses(text).Where(found => !IPAddress.IsLoopback(found));
        }
        catch (SocketException)
        {
            return [];
        }
    }

    private static bool IsOfThisMachine(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork && (IPAddress.IsLoopback(address) || OwnAddresses().Contains(address));

    private static IEnumerable<IPAddress> OwnAddresses() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up)
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(unicast => unicast.Address)
        .Where(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}

/// <summary>The gateway at the public address.</summary>
internal static class PublicGateway
{
    /// <summary>
    /// Serves https there besides, as pages elsewhere than on loopback get a microphone over https alone; and says where, for eyes and
    /// for cameras.
    /// </summary>
    public static void WithPublicHttps(this IResourceBuilder<ProjectResource> gateway, PublicAddress address)
    {
        var port = gateway.ApplicationBuilder.Port(gateway.Resource.Name, 8443, address.Ip);
        var certificate = new Lazy<DevelopmentCertificate>(() => DevelopmentCertificate.For(address.Host, SecretsFolder(), TimeProvider.System));
        gateway
            .WithHttpsEndpoint(port: port, isProxied: false)
            .WithEndpoint("https", endpoint => (endpoint.TargetHost, endpoint.IsExternal) = (address.Ip, true))
            .WithoutHttpsCertificate()
            .WithEnvironment(context => context.EnvironmentVariables["Kestrel__Certificates__Default__Path"] = certificate.Value.Path)
            .OnResourceReady((_, _, _) =>
            {
                Console.WriteLine(Invitation($"https://{address.Host}:{port}", certificate.Value.Fingerprint));
                return Task.CompletedTask;
            });
    }

    private static string Invitation(string url, string fingerprint) => $"""
        On a phone in the room: {url}
        {Code(url)}
        Its certificate is self-made, so browsers warn of it. SHA-256 fingerprint: {fingerprint}
        """;

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
