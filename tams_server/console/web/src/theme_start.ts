// Sets the chosen theme before the first paint. Loaded on its own, ahead of the bundle.
import { applyTheme, storedTheme } from "./theme";

applyTheme(storedTheme());
