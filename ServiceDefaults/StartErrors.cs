using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Connections;
using WebRtcIms.ServiceDefaults.Certificates;

namespace WebRtcIms.ServiceDefaults;

/// <summary>What an operator can do about a start that has failed. Any other failure is a bug, and its stack trace is wanted.</summary>
internal static partial class StartErrors
{
    /// <summary>One message, without a secret; null for a bug.</summary>
    /// <param name="error">What has stopped the start.</param>
    /// <param name="ports">The settings that choose the ports.</param>
    public static string? Describe(Exception error, string ports) => error switch
    {
        SettingsException or CertificateException => error.Message,
        IOException { InnerException: AddressInUseException } => $"{error.Message} Choose another port with {ports}.",
        // Kestrel wraps only errors about busy ports, and those of localhost, which has two addresses.
        IOException { InnerException: AggregateException } => $"{error.Message} Choose another address or port with {ports}.",
        SocketException socket => $"An address cannot be bound ({socket.SocketErrorCode}). Choose another address or port with {ports}.",
        // The message of the inner exception could quote a secret of the file.
        InvalidDataException when LineOf(error) is { } line => $"{error.Message} Line {line + 1} is not JSON.",
        InvalidOperationException when BoundSetting().Match(error.Message) is { Success: true, Groups: var groups } =>
            $"{groups["setting"]} has a value that cannot be read as {groups["type"]}.",
        InvalidOperationException when error.Message.StartsWith("Unable to configure HTTPS endpoint", StringComparison.Ordinal) =>
            $"{ports} has an https address, which needs Kestrel:Certificates:Default:Path and Kestrel:Certificates:Default:KeyPath.",
        DirectoryNotFoundException => $"The content root (ASPNETCORE_CONTENTROOT) is wrong: {error.Message}",
        _ => null,
    };

    // The binder of .NET also quotes the value, which may be a secret.
    [GeneratedRegex("^Failed to convert configuration value.* at '(?<setting>[^']+)' to type '(System\\.)?(?<type>[^']+)'")]
    private static partial Regex BoundSetting();

    private static long? LineOf(Exception error) =>
        error is JsonException json ? json.LineNumber ?? 0 : error.InnerException is { } inner ? LineOf(inner) : null;
}
