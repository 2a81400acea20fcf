using ZXing;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>Reads a QR code that was printed with half blocks, as a camera would.</summary>
internal static class PrintedCode
{
    private const int PixelsPerModule = 4;

    public static string? Read(IEnumerable<string> output)
    {
        var rows = output.Where(line => line.Length > 20 && line.All(character => character is '█' or '▀' or '▄' or ' '))
            .SelectMany(Modules).ToList();
        var (width, height) = (rows[0].Length * PixelsPerModule, rows.Count * PixelsPerModule);
        var pixels = new byte[width * height];
        for (var at = 0; at < pixels.Length; at++)
            pixels[at] = rows[at / width / PixelsPerModule][at % width / PixelsPerModule] ? byte.MaxValue : byte.MinValue;

        var camera = new BarcodeReaderGeneric { Options = { PossibleFormats = [BarcodeFormat.QR_CODE] } };
        return camera.Decode(new RGBLuminanceSource(pixels, width, height, RGBLuminanceSource.BitmapFormat.Gray8))?.Text;
    }

    // A character is two modules, one above the other. Printed blocks are light.
    private static bool[][] Modules(string line) =>
        [[.. line.Select(block => block is '█' or '▀')], [.. line.Select(block => block is '█' or '▄')]];
}
