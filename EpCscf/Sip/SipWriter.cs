namespace WebRtcIms.EpCscf.Sip;

/// <summary>Serialises a message: start line, header fields in their order, the correct Content-Length, and the body unchanged.</summary>
internal static class SipWriter
{
    public static ReadOnlyMemory<byte> Write(SipMessage message)
    {
        var output = new ArrayBufferWriter<byte>(1024 + message.Body.Length);
        Append(output, message switch
        {
            SipRequest request => $"{request.Method} {request.Uri} SIP/2.0\r\n",
            SipResponse response => string.Create(CultureInfo.InvariantCulture, $"SIP/2.0 {response.StatusCode} {response.Reason}\r\n"),
            _ => throw new ArgumentException("Not a SIP message", nameof(message)),
        });
        foreach (var (name, value) in message.Headers.Fields)
        {
            if (name == HeaderName.ContentLength) continue;
            Append(output, name);
            output.Write(": "u8);
            Append(output, value);
            output.Write("\r\n"u8);
        }
        Append(output, string.Create(CultureInfo.InvariantCulture, $"{HeaderName.ContentLength}: {message.Body.Length}\r\n\r\n"));
        output.Write(message.Body.Span);
        return output.WrittenMemory;
    }

    private static void Append(ArrayBufferWriter<byte> output, string text) => Encoding.UTF8.GetBytes(text, output);
}
